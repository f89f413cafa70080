import type { Health, Member } from '@vivace/cluster';
import { type Clock, isKind, orAborted, toVivaceError, VivaceError } from '@vivace/kernel';
import type { ByteRange } from '@vivace/object-store';
import {
  type CallOptions,
  type HeadChunk,
  type HeadsAnswer,
  type HeadsClient,
  type HeadsState,
  MAX_KNOWN_CHUNKS,
  type TimeRange,
} from '@vivace/rpc';
import type { HeadParts, HeadSource, HeadViews, RootBound } from '../head-source.ts';
import { ChunkShelf } from './chunk-shelf.ts';
import { ExpectedChunks } from './expected-chunks.ts';
import type { HeadRows } from './head-rows.ts';
import type { LogHeads } from './log-heads.ts';
import type { StreamList } from './stream-list.ts';

export interface RemoteHeadsOptions {
  /** The ingesters. */
  members: () => readonly Member[];
  client: (member: Member) => HeadsClient;
  health: Health;
  streams: StreamList;
  /** What reads streams that no ingester answers for; undefined: their log is not in a bucket. */
  logs: LogHeads | undefined;
  clock: Clock;
  /** Rows of heads that are kept from one query to the next. */
  chunkCacheBytes: number;
  /** For one ingester to answer. */
  timeoutMs: number;
}

/** A list of streams may be so old: an ingester takes no record before its stream is listed for longer. */
const LIST_MAX_AGE_MS = 5000;
/** A query reads logs for so long: what is known by then reaches a client that gives up after 30 s, as Grafana does. */
const LOG_PATIENCE_MS = 10_000;
/** A stream may be closed since it was listed, or taken over while ingesters were asked. */
const MAX_ATTEMPTS = 2;
/** Streams and ingesters that an answer names. */
const MAX_NAMED = 10;

/** Looks into heads that were made of the log. */
type Look<Found> = (rows: HeadRows, heads: readonly string[]) => Promise<Found>;
type Call<Answer> = (client: HeadsClient, options: CallOptions, member: Member) => Promise<Answer>;

/** What one round of asking all ingesters brought. */
interface Round<Answer> {
  answers: Answer[];
  failures: string[];
  /** Streams that are listed, and for which nobody has answered; where they cannot be listed, why. */
  unanswered: string[] | VivaceError;
  bound: RootBound;
}

/**
 * The heads of all ingesters. Rows come as chunks, each once: an ingester is told which are here. Streams of the log
 * that nobody answers for are read from the bucket; where that fails they are problems of the answer, and so is what
 * keeps the list of them from being read (docs/storage-protocol.md, Coordination).
 */
export class RemoteHeads implements HeadSource {
  readonly isRemote = true;
  readonly #options: RemoteHeadsOptions;
  readonly #shelf: ChunkShelf;
  readonly #expected = new ExpectedChunks();

  constructor(options: RemoteHeadsOptions) {
    this.#options = options;
    this.#shelf = new ChunkShelf(options.chunkCacheBytes);
  }

  /** Bytes of the rows of heads that are here. */
  get chunkBytes(): number {
    return this.#shelf.bytes;
  }

  async findTrace(tenant: string, id: Uint8Array, signal: AbortSignal): Promise<HeadParts> {
    const { answers, read, bound, problems } = await this.#ask(
      tenant,
      (client, options) => client.trace({ tenant, id }, options),
      (rows, heads) => rows.trace(heads, id),
      signal,
    );
    return { ...bound, parts: [...answers.flatMap(({ parts }) => parts), ...read], problems };
  }

  async headViews(tenant: string, time: TimeRange, signal: AbortSignal): Promise<HeadViews> {
    const call: Call<HeadsAnswer & { release: () => void }> = async (client, options, { address }) => {
      const owner = `${address} ${tenant}`;
      // Held from before the call, so that what it is not sent is here when it is used.
      const { ids: have, release } = this.#shelf.holdOwned(owner, MAX_KNOWN_CHUNKS);
      const fresh: HeadChunk[] = [];
      try {
        const answer = await client.rows({ tenant, have, time }, (chunk) => fresh.push(chunk), options);
        for (const { id, bytes } of fresh) this.#shelf.put(owner, id, bytes);
        const asked = new Set(answer.chunks.map(({ id }) => id));
        return { ...answer, release: this.#shelf.holdNamed(owner, asked, new Set(answer.others)) };
      } finally {
        release();
      }
    };
    const { answers, read, bound, problems } = await this.#ask(
      tenant,
      call,
      (rows, heads) => rows.views(heads),
      signal,
    );
    const release = () => {
      for (const answer of answers) answer.release();
    };
    // The query has left, and nobody is there to release them later.
    if (signal.aborted) release();
    const chunks = answers.flatMap((answer) => answer.chunks);
    if (read.length > 0 || problems.length > 0) this.#expected.forget(tenant);
    else this.#expected.note(tenant, chunks);
    return { ...bound, views: read, chunks, problems, release };
  }

  /** What the last two answers had. */
  expectedViews(tenant: string): HeadViews | undefined {
    const chunks = this.#expected.of(tenant);
    const release = chunks && this.#shelf.holdAll(chunks.map(({ id }) => id));
    return release && { views: [], chunks, problems: [], release };
  }

  readChunk(id: string, range: ByteRange): Uint8Array | undefined {
    return this.#shelf.read(id, range);
  }

  /** Asks all ingesters and reads the log of who does not answer; both once more where a stream is left. */
  async #ask<Answer extends HeadsState & { release?: () => void }, Found>(
    tenant: string,
    call: Call<Answer>,
    look: Look<Found[]>,
    signal: AbortSignal,
  ): Promise<{ answers: Answer[]; read: Found[]; bound: RootBound; problems: string[] }> {
    const patience = new AbortController();
    let cancel = (): void => undefined;
    let answers: Answer[] = [];
    try {
      for (let attempt = 1; ; attempt++) {
        const round = await this.#round(call, attempt === 1 ? LIST_MAX_AGE_MS : 0, signal);
        answers = round.answers;
        if (attempt === 1) cancel = this.#options.clock.after(LOG_PATIENCE_MS, () => patience.abort());
        const { read, missing, bound } = await this.#readLogs(tenant, round, look, {
          signal,
          patience: patience.signal,
        });
        if (missing.length === 0) return { answers, read, bound, problems: [] };
        if (attempt === MAX_ATTEMPTS || patience.signal.aborted) {
          // Who does not answer and has no stream that is open misses in nothing.
          const problems = [...missing.slice(0, MAX_NAMED), ...round.failures.slice(0, MAX_NAMED)];
          return { answers, read, bound, problems };
        }
        for (const answer of answers.splice(0)) answer.release?.();
      }
    } catch (error) {
      for (const answer of answers) answer.release?.();
      throw error;
    } finally {
      cancel();
    }
  }

  /** `missing`: of which streams something is not there, a line each. */
  async #readLogs<Found>(
    tenant: string,
    { unanswered, bound }: Round<unknown>,
    look: Look<Found[]>,
    signals: { signal: AbortSignal; patience: AbortSignal },
  ): Promise<{ read: Found[]; missing: string[]; bound: RootBound }> {
    const { logs } = this.#options;
    const notAnswered = (stream: string) => `no ingester answers for what is not in blocks yet of stream ${stream}`;
    if (unanswered instanceof VivaceError) {
      return { read: [], missing: [notAnswered(`(they cannot be listed: ${unanswered.message})`)], bound };
    }
    logs?.keepOnly(new Set(unanswered));
    if (unanswered.length === 0) return { read: [], missing: [], bound };
    if (logs === undefined) return { read: [], missing: unanswered.map(notAnswered), bound };
    const { found, problems } = await logs.read(tenant, unanswered, look, signals);
    const missing = Array.from(problems, ([stream, reasons]) => {
      return `${notAnswered(stream)}, and of its log not all can be read: ${reasons.join('; ')}`;
    });
    // What has left the log since is in the root of now.
    return { read: found, missing, bound: { ...bound, maxAgeMs: 0 } };
  }

  async #round<Answer extends HeadsState>(
    call: Call<Answer>,
    listMaxAgeMs: number,
    signal: AbortSignal,
  ): Promise<Round<Answer>> {
    const { clock, members, streams } = this.#options;
    const failures: string[] = [];
    const [listed, ...found] = await Promise.all([
      orAborted(streams.list(listMaxAgeMs), signal).catch((error: unknown) => {
        if (signal.aborted) throw error;
        return toVivaceError(error);
      }),
      ...members().map((member) => this.#call(member, call, signal, failures)),
    ]);
    const answers = found.filter((answer) => answer !== undefined);
    const answered = new Set(answers.flatMap((answer) => answer.streams));
    const minVersion = answers.reduce((most, { version }) => Math.max(most, version), 0);
    if (!('streams' in listed)) {
      return {
        answers,
        failures: [],
        unanswered: listed,
        bound: { minVersion, maxAgeMs: 0 },
      };
    }
    // Streams that are not in the list were closed when it was made: the root is not older than the list.
    const maxAgeMs = Math.max(0, Math.min(LIST_MAX_AGE_MS, clock.monotonicMs() - listed.atMs));
    const unanswered = listed.streams.filter((stream) => !answered.has(stream));
    return { answers, failures, unanswered, bound: { minVersion, maxAgeMs } };
  }

  async #call<Answer>(
    member: Member,
    call: Call<Answer>,
    signal: AbortSignal,
    failures: string[],
  ): Promise<Answer | undefined> {
    const { client, health, timeoutMs } = this.#options;
    if (!health.isUsable(member.address)) {
      failures.push(`ingester ${member.address} has failed a moment ago`);
      return undefined;
    }
    try {
      const answer = await call(client(member), { timeoutMs, signal }, member);
      health.succeeded(member.address);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      const failure: VivaceError = toVivaceError(error);
      if (isKind(failure, 'unavailable', 'deadline')) health.failed(member.address, failure.retryAfterMs);
      failures.push(`ingester ${member.address}: ${failure.message}`);
      return undefined;
    }
  }
}
