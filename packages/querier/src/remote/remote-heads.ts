import type { Health, Member } from '@vivace/cluster';
import { type Clock, isKind, orAborted, toVivaceError, type VivaceError } from '@vivace/kernel';
import type { ByteRange } from '@vivace/object-store';
import {
  type CallOptions,
  type HeadChunk,
  type HeadsClient,
  type HeadsState,
  MAX_KNOWN_CHUNKS,
  type TimeRange,
} from '@vivace/rpc';
import type { HeadParts, HeadSource, HeadViews, RootBound } from '../head-source.ts';
import { ChunkShelf } from './chunk-shelf.ts';
import type { StreamList } from './stream-list.ts';

export interface RemoteHeadsOptions {
  /** The ingesters. */
  members: () => readonly Member[];
  client: (member: Member) => HeadsClient;
  health: Health;
  streams: StreamList;
  clock: Clock;
  /** Rows of heads that are kept from one query to the next. */
  chunkCacheBytes: number;
  /** For one ingester to answer. */
  timeoutMs: number;
}

/** A list of streams may be so old: an ingester takes no record before its stream is listed for longer. */
const LIST_MAX_AGE_MS = 5000;
/** Streams and ingesters that an answer names. */
const MAX_NAMED = 10;

type Call<Answer> = (client: HeadsClient, options: CallOptions, member: Member) => Promise<Answer>;

/** What one round of asking all ingesters brought. */
interface Round<Answer> {
  answers: Answer[];
  failures: string[];
  /** Streams that are listed, and for which nobody has answered. */
  unanswered: string[];
  bound: RootBound;
}

/**
 * The heads of all ingesters. Rows come as chunks, each once: an ingester is told which are here. Streams of the log
 * that nobody answers for are problems of the answer, and so is what keeps the list of them from being read
 * (docs/storage-protocol.md, Coordination).
 */
export class RemoteHeads implements HeadSource {
  readonly isRemote = true;
  readonly #options: RemoteHeadsOptions;
  readonly #shelf: ChunkShelf;

  constructor(options: RemoteHeadsOptions) {
    this.#options = options;
    this.#shelf = new ChunkShelf(options.chunkCacheBytes);
  }

  /** Bytes of the rows of heads that are here. */
  get chunkBytes(): number {
    return this.#shelf.bytes;
  }

  async findTrace(tenant: string, id: Uint8Array, signal: AbortSignal): Promise<HeadParts> {
    const { answers, bound, problems } = await this.#ask(
      (client, options) => client.trace({ tenant, id }, options),
      signal,
    );
    return { ...bound, parts: answers.flatMap(({ parts }) => parts), problems };
  }

  async headViews(tenant: string, time: TimeRange, signal: AbortSignal): Promise<HeadViews> {
    const { answers, bound, problems } = await this.#ask(async (client, options, { address }) => {
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
    }, signal);
    const release = () => {
      for (const answer of answers) answer.release();
    };
    // The query has left, and nobody is there to release them later.
    if (signal.aborted) release();
    const chunks = answers.flatMap((answer) => answer.chunks);
    return { ...bound, views: [], chunks, problems, release };
  }

  readChunk(id: string, range: ByteRange): Uint8Array | undefined {
    return this.#shelf.read(id, range);
  }

  /** Asks all ingesters, and once more where a stream is left that nobody has answered for. */
  async #ask<Answer extends HeadsState & { release?: () => void }>(
    call: Call<Answer>,
    signal: AbortSignal,
  ): Promise<{ answers: Answer[]; bound: RootBound; problems: string[] }> {
    let round = await this.#round(call, LIST_MAX_AGE_MS, signal);
    if (round.unanswered.length > 0) {
      for (const answer of round.answers) answer.release?.();
      round = await this.#round(call, 0, signal);
    }
    const { answers, bound, failures, unanswered } = round;
    const problems = unanswered
      .slice(0, MAX_NAMED)
      .map((stream) => `no ingester answers for what is not in blocks yet of stream ${stream}`);
    // Who does not answer and has no stream that is open misses in nothing.
    if (problems.length > 0) problems.push(...failures.slice(0, MAX_NAMED));
    return { answers, bound, problems };
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
        unanswered: [`(they cannot be listed: ${listed.message})`],
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
