import {
  assert,
  bytesToHex,
  type Clock,
  fraction,
  isKind,
  type Random,
  toVivaceError,
  uuidV7,
  uuidV7TimeMs,
  VivaceError,
} from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { applyBury, applyEdit, isOnce, judge, type LostReason, type ManifestEdit, type Page } from './edit.ts';
import { type FoldTarget, foldEntries, foldGraves } from './fold.ts';
import type { Grave } from './graveyard.ts';
import { COMMIT_RING } from './layout.ts';
import { pageKey, rootKey } from './paths.ts';
import { commitOf, copyRoot, encodeRoot, type Root } from './root.ts';
import type { StoreTime } from './store-time.ts';
import type { RootState, StoredRoot } from './stored-root.ts';

export type CommitResult =
  | { committed: true; version: number }
  /** Final: the edit can never be in any root, so the objects of its blocks may be deleted. */
  | { committed: false; code: LostReason; reason: string };

export interface CommitterOptions {
  store: ObjectStore;
  tenant: string;
  clock: Clock;
  random: Random;
  storedRoot: StoredRoot;
  storeTime: StoreTime;
  rootMaxBytes: number;
  pageMaxBytes: number;
}

interface Pending {
  edit: ManifestEdit;
  /** A put with this edit was sent, and nobody knows yet what became of it. */
  unknown: boolean;
  /** Undefined once the caller has its answer. */
  settle: ((outcome: CommitResult | VivaceError) => void) | undefined;
}

const MAX_PENDING = 1000;
const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 5000;

/**
 * Commits of one tenant in this process: one in flight, edits that arrive meanwhile go together in the next,
 * each valid or lost by itself.
 *
 * A put that was not answered by success is *unknown*, whatever the answer was: it may have happened, or happen
 * later. Only the root tells. It holds the commit's id: done. Its ETag is still the one of the condition: the
 * same bytes again, so that it does not matter which of them arrives. Else the put can never happen any more,
 * because no later root has that ETag again (each has a new version), and the edit is judged anew.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #queue: Pending[] = [];
  #running = false;
  /** Aborted when nobody waits for the running round any more. */
  #round = new AbortController();
  #flight: Pending[] = [];

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  commit(edit: ManifestEdit, signal: AbortSignal): Promise<CommitResult> {
    if (signal.aborted) return Promise.reject(toVivaceError(signal.reason));
    if (this.#queue.length >= MAX_PENDING) {
      const message = 'too many commits of one tenant are waiting: try again later';
      return Promise.reject(new VivaceError('limited', 'commit-queue-full', message, { retryAfterMs: MAX_BACKOFF_MS }));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        pending.settle?.(pending.unknown ? unknownOutcome(signal.reason) : toVivaceError(signal.reason));
        this.#leave();
      };
      const pending: Pending = {
        edit,
        unknown: false,
        settle: (outcome) => {
          pending.settle = undefined;
          signal.removeEventListener('abort', onAbort);
          if (outcome instanceof VivaceError) reject(outcome);
          else resolve(outcome);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(pending);
      if (!this.#running) void this.#run();
    });
  }

  /** Forgets edits whose callers have gone; a round without any ends. */
  #leave(): void {
    this.#queue = this.#queue.filter(({ settle }) => settle);
    if (this.#running && this.#queue.length === 0 && this.#flight.every(({ settle }) => !settle)) this.#round.abort();
  }

  /** Never rejects: what goes wrong is the answer of the edits that it concerns. */
  async #run(): Promise<void> {
    this.#running = true;
    let failures = 0;
    let failure: unknown;
    while (this.#queue.length > 0) {
      if (this.#round.signal.aborted) this.#round = new AbortController();
      const { signal } = this.#round;
      try {
        if (failures > 0) await this.#backOff(failures, failure, signal);
        failures = (await this.#commitOnce(signal)) ? 0 : failures + 1;
        failure = undefined;
      } catch (error) {
        this.#requeue();
        failures++;
        failure = error;
        if (!signal.aborted && !mayPass(error)) this.#fail(toVivaceError(error));
      }
    }
    this.#running = false;
  }

  #requeue(): void {
    this.#queue = [...this.#flight.filter(({ settle }) => settle), ...this.#queue];
    this.#flight = [];
  }

  #fail(error: VivaceError): void {
    const failed = this.#queue;
    this.#queue = [];
    for (const { settle, unknown } of failed) settle?.(unknown ? unknownOutcome(error) : error);
  }

  /** One round: read, judge, put. False when somebody else was faster. */
  async #commitOnce(signal: AbortSignal): Promise<boolean> {
    const { clock, storedRoot } = this.#options;
    if (storedRoot.alarm) throw storedRoot.alarm;
    const state = await storedRoot.read(signal);
    const pages = await this.#loadPages(state, signal);
    const graves = await this.#loadGraves(state, signal);
    const next = copyRoot(state.root);
    this.#take(state, next, pages, graves);
    if (this.#flight.length === 0) return true;

    next.version++;
    const commitId = bytesToHex(this.#options.random.bytes(16));
    next.commits.push(commitId);
    if (next.commits.length > COMMIT_RING) next.commits.shift();
    const bytes = await this.#encode(next, state, signal);
    const only = state.etag === undefined ? ('absent' as const) : { etag: state.etag };
    for (let failures = 1; ; failures++) {
      const seenMs = clock.monotonicMs();
      for (const pending of this.#flight) pending.unknown = true;
      let failure: unknown;
      try {
        const { etag } = await this.#options.store.put(rootKey(this.#options.tenant), [bytes], { only, signal });
        storedRoot.confirm(next, etag, seenMs);
        this.#settle(next.version);
        return true;
      } catch (error) {
        failure = error;
      }
      const after = await this.#readUntilAnswered(failures, failure, signal);
      if (commitOf(after.root, next.version) === commitId) {
        this.#settle(next.version);
        return true;
      }
      if (after.root.version - after.root.commits.length >= next.version) {
        // So many commits since then that the root cannot tell. What the edits did may still be seen in it.
        this.#requeue();
        return false;
      }
      if (after.etag !== state.etag) {
        for (const pending of this.#flight) pending.unknown = false;
        this.#requeue();
        return false;
      }
    }
  }

  async #readUntilAnswered(failures: number, putFailure: unknown, signal: AbortSignal): Promise<RootState> {
    let failure = putFailure;
    for (let tries = failures; ; tries++) {
      // A lost race is the usual case, and the next round reads anyway.
      if (tries > 1 || !isKind(failure, 'conflict')) await this.#backOff(tries, failure, signal);
      try {
        return await this.#options.storedRoot.read(signal);
      } catch (error) {
        if (signal.aborted || !mayPass(error)) throw error;
        failure = error;
      }
    }
  }

  /** Applies what fits to `next` and puts it in flight; answers what is settled; leaves what must wait its turn. */
  #take(state: RootState, next: Root, pages: Page[] | undefined, graves: LoadedGraves): void {
    const waiting: Pending[] = [];
    for (const pending of this.#queue) {
      const { edit } = pending;
      const verdict = judge(edit, next, pages);
      if (verdict.kind === 'valid' && pending.unknown && !isOnce(edit)) {
        // Nothing but its own blocks could show that it happened, and those may have been replaced since.
        pending.settle?.(unknownOutcome(undefined));
        continue;
      }
      if (verdict.kind === 'valid') {
        applyEdit(edit, next, pages);
        if (edit.bury) {
          applyBury(edit.bury, next, graves);
          graves = [];
        }
        this.#flight.push(pending);
        continue;
      }
      // What fails beside another edit of this round must be judged by what that one comes to.
      const final = judge(edit, state.root, pages);
      if (final.kind === 'done') pending.settle?.({ committed: true, version: state.root.version });
      else if (final.kind === 'lost' && pending.unknown) pending.settle?.(unknownOutcome(final.message));
      else if (final.kind === 'lost') {
        pending.settle?.({ committed: false, code: final.reason, reason: final.message });
      } else if (final.kind === 'gap' && verdict.kind === 'gap') {
        pending.settle?.(new VivaceError('conflict', 'commit-gap', final.message));
      } else waiting.push(pending);
    }
    this.#queue = waiting;
  }

  #settle(version: number): void {
    const flight = this.#flight;
    this.#flight = [];
    for (const { settle } of flight) settle?.({ committed: true, version });
  }

  /** The pages of the root, if any edit of the queue cannot be judged without them. */
  async #loadPages(state: RootState, signal: AbortSignal): Promise<Page[] | undefined> {
    const { root } = state;
    const needed = this.#queue.some(({ edit }) => judge(edit, root, undefined).kind === 'pages');
    // Edits that conflict with each other are judged again on the root, and then need what the root has.
    return needed || this.#queue.length > 1 ? this.#options.storedRoot.pages(root.pages, signal) : undefined;
  }

  async #loadGraves({ root }: RootState, signal: AbortSignal): Promise<LoadedGraves> {
    const loaded: { page: string; graves: Grave[] }[] = [];
    if (!this.#queue.some(({ edit }) => edit.bury)) return loaded;
    for (const ref of root.gravePages) {
      loaded.push({ page: ref.id, graves: await this.#options.storedRoot.gravePage(ref, signal) });
    }
    return loaded;
  }

  async #encode(next: Root, state: RootState, signal: AbortSignal): Promise<Uint8Array> {
    const { pageMaxBytes, random, rootMaxBytes, store, storedRoot, storeTime, tenant } = this.#options;
    const bytes = encodeRoot(next);
    if (bytes.length <= rootMaxBytes) return bytes;
    const target: FoldTarget = {
      pageMaxBytes,
      put: async (page) => {
        const id = uuidV7(await storeTime.nowMs(signal), random);
        // The sweep may delete what is older than the floor of the root that this commit replaces.
        assert(uuidV7TimeMs(id) >= next.floorMs, 'a page is not older than the floor');
        await store.put(pageKey(tenant, id), [page], { only: 'absent', signal });
        return id;
      },
    };
    await foldEntries(next, await storedRoot.pages(state.root.pages, signal), target);
    let folded = encodeRoot(next);
    if (folded.length > rootMaxBytes / 2) {
      await foldGraves(next, target);
      folded = encodeRoot(next);
    }
    if (folded.length <= rootMaxBytes) return folded;
    throw new VivaceError(
      'limited',
      'root-full',
      `the root of tenant ${tenant} has no room for its streams and pages: ${folded.length} bytes`,
    );
  }

  async #backOff(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const longest = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures, 10));
    const asked = isKind(error, 'limited') ? (error.retryAfterMs ?? 0) : 0;
    await clock.sleep(asked + longest * fraction(random), signal);
  }
}

type LoadedGraves = readonly { page: string; graves: Grave[] }[];

/** Whether the same request may succeed later without anybody doing anything about it. */
function mayPass(error: unknown): boolean {
  return isKind(error, 'unavailable', 'limited', 'deadline', 'conflict', 'unauthorized', 'not-found', 'canceled');
}

function unknownOutcome(cause: unknown): VivaceError {
  const message = 'nobody knows whether the commit happened: keep its objects, and commit the same again';
  return new VivaceError('unavailable', 'commit-unknown', message, { cause });
}
