import { assert, type Clock, dataError, isKind, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { Page } from './edit.ts';
import type { Grave } from './graveyard.ts';
import { decodeEntryPage, decodeGravePage } from './page.ts';
import { pageKey, rootKey } from './paths.ts';
import { commitOf, decodeRoot, emptyRoot, type GravePageRef, type PageRef, type Root } from './root.ts';

/** A root as it was read or put; never changed. */
export interface RootState {
  readonly root: Root;
  /** Undefined where no root is stored. */
  readonly etag: string | undefined;
  /** When the request that showed it was sent, on the monotonic clock: it was current then or later. */
  readonly seenMs: number;
  /** False for what we put: what it buried gets its time from the store, by reading it. */
  readonly stamped: boolean;
}

export interface StoredRootOptions {
  store: ObjectStore;
  tenant: string;
  clock: Clock;
  /** Called once, with what is wrong, when the tenant's history is not one line any more. */
  onAlarm: (alarm: VivaceError) => void;
}

const MAX_REREADS = 3;
/** Pages of a month are read in the time of a few. */
const CONCURRENCY = 8;

/**
 * The newest root that this process knows, and its pages. Watches that the history only grows: the version never
 * goes down, and every root holds the commit that was newest before it, as far back as it remembers.
 */
export class StoredRoot {
  readonly #store: ObjectStore;
  readonly #tenant: string;
  readonly #clock: Clock;
  readonly #onAlarm: (alarm: VivaceError) => void;
  readonly #pages = new Map<string, Page>();
  #state: RootState;
  #alarm: VivaceError | undefined;

  constructor({ store, tenant, clock, onAlarm }: StoredRootOptions) {
    this.#store = store;
    this.#tenant = tenant;
    this.#clock = clock;
    this.#onAlarm = onAlarm;
    this.#state = {
      root: emptyRoot(tenant),
      etag: undefined,
      seenMs: Number.NEGATIVE_INFINITY,
      stamped: true,
    };
  }

  /** What is known without asking the store. */
  get state(): RootState {
    return this.#state;
  }

  /** Whether `state` is not older than that. */
  isFresh(maxAgeMs: number): boolean {
    return maxAgeMs > 0 && this.#clock.monotonicMs() - this.#state.seenMs <= maxAgeMs;
  }

  get alarm(): VivaceError | undefined {
    return this.#alarm;
  }

  /** Asks the store. Returns the newest root known then, which another answer may have shown meanwhile. */
  async read(signal: AbortSignal): Promise<RootState> {
    const before = this.#state;
    const seenMs = this.#clock.monotonicMs();
    const key = rootKey(this.#tenant);
    try {
      const condition = before.etag !== undefined && before.stamped ? { ifNoneMatch: before.etag } : {};
      const found = await this.#store.get(key, { ...condition, signal });
      if (found.notModified) return this.#adopt(before, { ...before, seenMs });
      const root = decodeRoot(found.bytes, this.#tenant, Math.floor(found.lastModifiedMs));
      return this.#adopt(before, { root, etag: found.etag, seenMs, stamped: true });
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      return this.#adopt(before, { root: emptyRoot(this.#tenant), etag: undefined, seenMs, stamped: true });
    }
  }

  /** Takes over a root that the store has confirmed to hold. */
  confirm(root: Root, etag: string, seenMs: number): void {
    if (root.version > this.#state.root.version) this.#state = { root, etag, seenMs, stamped: false };
  }

  /** The pages of a root, loaded where they are not yet. `not-found` when the root is not the newest any more. */
  async pages(refs: readonly PageRef[], signal: AbortSignal): Promise<Page[]> {
    const pages: Page[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let at = next++; at < refs.length; at = next++) pages[at] = await this.#page(refs[at] as PageRef, signal);
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, refs.length) }, lane));
    return pages;
  }

  async #page(ref: PageRef, signal: AbortSignal): Promise<Page> {
    const known = this.#pages.get(ref.id);
    if (known !== undefined) return known;
    const page = await this.#loadPage(ref, signal);
    // Only what the newest root names is kept: the next root forgets the rest.
    if (this.#state.root.pages.some(({ id }) => id === ref.id)) this.#pages.set(ref.id, page);
    return page;
  }

  async gravePage(ref: GravePageRef, signal: AbortSignal): Promise<Grave[]> {
    const { bytes } = await this.#store.get(pageKey(this.#tenant, ref.id), { signal });
    const graves = decodeGravePage(bytes, this.#tenant, ref.stampMs);
    if (graves.length !== ref.graves) throw pageDamaged(ref.id);
    return graves;
  }

  /**
   * Runs `work` on a root not older than `maxAgeMs` (0 asks the store, even in the millisecond of the last answer),
   * again on the newest when a page was gone: pages live on for an hour after the last root that names them.
   */
  async withPages<T>(maxAgeMs: number, signal: AbortSignal, work: (state: RootState) => Promise<T>): Promise<T> {
    let state = this.isFresh(maxAgeMs) ? this.#state : await this.read(signal);
    for (let rereads = 0; ; rereads++) {
      try {
        return await work(state);
      } catch (error) {
        if (!isKind(error, 'not-found')) throw error;
        const before = state;
        state = await this.read(signal);
        if (state.root.version === before.root.version || rereads === MAX_REREADS) {
          throw dataError('manifest-page-missing', 'a page that the root of a tenant names is missing', error);
        }
      }
    }
  }

  async #loadPage(ref: PageRef, signal: AbortSignal): Promise<Page> {
    const { bytes } = await this.#store.get(pageKey(this.#tenant, ref.id), { signal });
    const page = new Map(decodeEntryPage(bytes, this.#tenant).map((entry) => [entry.id, entry]));
    if (page.size !== ref.entries) throw pageDamaged(ref.id);
    return page;
  }

  /**
   * `before` was known when the request of `next` was sent: whatever the store answered is not older. What
   * became known since then may be newer than the answer.
   */
  #adopt(before: RootState, next: RootState): RootState {
    this.#checkHistory(before.root, next.root);
    const known = this.#state;
    if (next.root.version < known.root.version) return known;
    if (next.root.version > known.root.version) {
      const named = new Set(next.root.pages.map(({ id }) => id));
      for (const id of this.#pages.keys()) if (!named.has(id)) this.#pages.delete(id);
    }
    this.#state = next.seenMs < known.seenMs ? { ...next, seenMs: known.seenMs } : next;
    return this.#state;
  }

  #checkHistory(before: Root, next: Root): void {
    if (before.version === 0) return;
    let what: string | undefined;
    if (next.version < before.version) what = `its version went from ${before.version} to ${next.version}`;
    else if (before.version > next.version - next.commits.length) {
      const newest = commitOf(before, before.version);
      assert(newest !== undefined, 'a root holds its own commit');
      if (commitOf(next, before.version) !== newest) what = `version ${before.version} is not the one that was there`;
    }
    if (what === undefined) return;
    const alarm = new VivaceError(
      'internal',
      'manifest-history',
      `the root of tenant ${this.#tenant} was changed by something other than Vivace, commits have stopped: ${what}`,
    );
    if (this.#alarm === undefined) {
      this.#alarm = alarm;
      this.#onAlarm(alarm);
    }
    throw alarm;
  }
}

function pageDamaged(id: string): VivaceError {
  return dataError('manifest-damaged', `a page of the manifest does not hold what the root says: ${id}`);
}
