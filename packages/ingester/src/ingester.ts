import type { EncodedSpans } from '@vivace/columns';
import {
  type Clock,
  checkTenant,
  isKind,
  orAborted,
  type PooledBuffer,
  type Random,
  type Service,
  toVivaceError,
  uuidV7TimeMs,
  VivaceError,
} from '@vivace/kernel';
import type { BlockEntry, Manifest, ManifestSnapshot } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { PushResult } from '@vivace/receivers';
import type { Logger } from '@vivace/telemetry';
import type { WriteAheadLog } from '@vivace/wal';
import type { BlockCutter, CutBlock } from './block-cutter.ts';
import { BlockWriter } from './block-writer.ts';
import { Coverage } from './coverage.ts';
import type { Generation } from './generation.ts';
import type { HeadBuilder, PushReply } from './head-builder.ts';
import { type HeadState, liveHead, replayHead } from './head-state.ts';
import type { HeadView, PushOutcome, SealedHead } from './heads.ts';
import { createPracticeHead, type PracticeHead } from './practice/practice-head.ts';
import { PushQueue } from './push-queue.ts';
import { type ReplayTarget, replayStreams } from './replay.ts';
import { retried } from './retried.ts';
import { Room } from './room.ts';
import { TakeOvers } from './take-overs.ts';

export interface IngesterOptions {
  log: WriteAheadLog;
  builder: HeadBuilder;
  cutter: BlockCutter;
  manifest: (tenant: string) => Manifest;
  store: ObjectStore;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Told of a block that is in the manifest now; its bytes are not used here any more. Must not throw. */
  onCommitted?: (tenant: string, entry: BlockEntry, objects: CutBlock['objects']) => void;
  limits: IngesterLimits;
}

export interface IngesterLimits {
  /** Memory of all heads; beyond it requests wait a moment and are then refused. */
  headsMaxBytes: number;
  /** A head of this size is cut. */
  generationMaxBytes: number;
  /** A head of this age is cut, unless it is small. */
  cutIntervalMs: number;
  smallTenantCutIntervalMs: number;
  /** Heads are cut when the log is larger, whatever their size and age. */
  logMaxBytes: number;
  logMaxSegments: number;
}

/** What heads hold of a trace, and what may be missing from it. */
export interface HeadTrace {
  parts: EncodedSpans[];
  problems: string[];
}

const SMALL_HEAD_BYTES = 4 * 1024 * 1024;
const ROOM_WAIT_MS = 5000;
const TICK_MS = 1000;
/** No entry overlaps it: only the version of a snapshot is asked for. */
const NO_TIME = { start: 1n << 64n, end: -1n };

/**
 * Takes requests into heads and into the log, and acknowledges them when the log is durable; seals heads into
 * generations, has them written as blocks, and drops from the log what blocks cover. After a start it takes
 * over the streams that dead processes left. (docs/storage-protocol.md)
 */
export class Ingester implements Service {
  readonly #options: IngesterOptions;
  readonly #coverage = new Coverage();
  readonly #room: Room;
  readonly #queue: PushQueue;
  readonly #writer: BlockWriter;
  readonly #abort = new AbortController();
  readonly #heads = new Map<string, HeadState>();
  /** Heads with sealed generations that the builder still holds, and how many. */
  readonly #sealed = new Map<string, number>();
  /** Generations on their way into blocks; each resolves with whether it got there. */
  readonly #writing = new Set<Promise<boolean>>();
  /** Sealed, and not known to be in blocks. */
  readonly #uncut = new Set<Generation>();
  readonly #takeOvers: TakeOvers;
  #started = false;
  #sealing: Promise<void> = Promise.resolve();
  #dropping: Promise<void> = Promise.resolve();
  #cancelTick: () => void = () => undefined;

  constructor(options: IngesterOptions) {
    this.#options = options;
    this.#room = new Room({ maxBytes: options.limits.headsMaxBytes, waitMs: ROOM_WAIT_MS, clock: options.clock });
    this.#queue = new PushQueue(options.builder, (reply) => this.#onReply(reply));
    const { signal } = this.#abort;
    this.#writer = new BlockWriter({ ...options, signal });
    this.#takeOvers = new TakeOvers({
      ...options,
      signal,
      replay: (streams) => replayStreams(streams, this.#replayTarget()),
      // What could not be dropped when its block was committed.
      onLook: () => {
        this.#dropping = this.#dropping.then(() => this.#dropCovered());
      },
    });
  }

  /** Ready at once: streams of dead processes are replayed behind it, and answers say so until that is done. */
  async start(): Promise<void> {
    if (this.#started) return;
    this.#started = true;
    await this.#takeOvers.start();
    this.#tick();
  }

  /** Seals and writes nothing: what is not in blocks is in the log. */
  async stop(): Promise<void> {
    this.#cancelTick();
    this.#takeOvers.stop();
    this.#abort.abort(new VivaceError('unavailable', 'stopping', 'the ingester is stopping'));
    await Promise.allSettled([this.#takeOvers.ended, this.#sealing]);
    await Promise.all(this.#writing);
    await this.#dropping;
  }

  /** Memory of the heads in bytes. */
  get headBytes(): number {
    return this.#room.used;
  }

  /** When the first of the spans that are acknowledged and in no block came, at the earliest; undefined where all are in blocks. */
  get oldestUncutMs(): number | undefined {
    let oldest: number | undefined;
    const waiting = [...this.#heads.values()].filter(({ appended }) => appended.size > 0);
    for (const { openedMs } of [...waiting, ...this.#uncut]) oldest = Math.min(oldest ?? openedMs, openedMs);
    return oldest;
  }

  /** For practice on the threads of this ingester. */
  practiceHead(): PracticeHead {
    return createPracticeHead({ ...this.#options, onSize: (bytes) => this.#room.setUsed(bytes) });
  }

  /** True while streams of dead processes are being replayed. */
  get replaying(): boolean {
    return this.#takeOvers.replaying;
  }

  /**
   * Takes an encoded ExportTraceServiceRequest. Resolves when its good spans are durable; rejects with
   * `invalid` when it cannot be decoded (nothing is stored then), with `unavailable` when heads or log are
   * full or failing. The buffer may be used again when the promise has settled.
   */
  async push(tenant: string, request: PooledBuffer, signal: AbortSignal): Promise<PushResult> {
    this.#checkRunning();
    checkTenant(tenant);
    if (this.#room.full) await this.#room.wait(AbortSignal.any([signal, this.#abort.signal]));
    this.#checkRunning();
    const head = this.#headOf(liveHead(tenant), tenant);
    return new Promise<PushResult>((resolve, reject) => {
      const fail = (error: unknown) => reject(ownFault(error));
      this.#queue.push({
        head: head.key,
        bytes: request.bytes,
        fail,
        accept: (outcome) => {
          if ('malformed' in outcome) {
            reject(new VivaceError('invalid', 'otlp-malformed', outcome.malformed));
            return;
          }
          if ('defect' in outcome) {
            reject(new VivaceError('internal', 'head-defect', outcome.defect));
            return;
          }
          const result = resultOf(outcome);
          if (outcome.accepted === 0) {
            resolve(result);
            return;
          }
          this.#append(tenant, request.bytes).then(() => resolve(result), fail);
        },
      });
    });
  }

  /** What the heads hold of a trace. */
  async findTrace(tenant: string, id: Uint8Array): Promise<HeadTrace> {
    const problems = this.#takeOvers.problems();
    const heads = this.#headsOf(tenant);
    return { parts: heads.length === 0 ? [] : await this.#options.builder.trace(heads, id), problems };
  }

  /** What the heads of a tenant hold, for queries. */
  async headViews(tenant: string): Promise<{ views: HeadView[]; problems: string[] }> {
    const problems = this.#takeOvers.problems();
    const heads = this.#headsOf(tenant);
    return { views: heads.length === 0 ? [] : await this.#options.builder.views(heads), problems };
  }

  /**
   * What the heads of a tenant hold, for queriers that ask several ingesters: `streams` are those of which all that is
   * in no block is in `found`, and what is no longer in the heads is in roots from `version` on.
   */
  async answerHeads<Found>(
    tenant: string,
    ask: (builder: HeadBuilder, heads: readonly string[]) => Promise<Found>,
    signal: AbortSignal,
  ): Promise<{ found: Found | undefined; streams: string[]; version: number }> {
    const { builder, log, manifest } = this.#options;
    const streams = log.streams().flatMap(({ stream }) => (this.#takeOvers.isReplaying(stream) ? [] : [stream]));
    const heads = this.#headsOf(tenant);
    const found = heads.length === 0 ? undefined : await ask(builder, heads);
    // After the heads: a generation that has left them was committed before, by this process or before its eyes.
    const { version } = await manifest(tenant).snapshot(signal, { maxAgeMs: Number.POSITIVE_INFINITY, range: NO_TIME });
    return { found, streams, version };
  }

  /** Those of a tenant that hold rows: most lookups of a tenant without any need not ask the builder's thread. */
  #headsOf(tenant: string): string[] {
    const heads = [liveHead(tenant), ...this.#options.log.streams().map(({ stream }) => replayHead(tenant, stream))];
    return heads.filter((key) => this.#heads.has(key) || this.#sealed.has(key));
  }

  /**
   * Cuts everything that is in heads now, and resolves when it is in the manifest and dropped from the log.
   * `unavailable` when it does not get there.
   */
  async flush(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { ended } = this.#takeOvers;
      await orAborted(ended, signal);
      // Heads of a replay are sealed by it, and only where a segment ends.
      const live = [...this.#heads.values()].filter(({ replays }) => replays === undefined);
      await orAborted(Promise.all(live.map((head) => this.#seal(head))), signal);
      const written = await orAborted(Promise.all(this.#writing), signal);
      this.#checkRunning();
      if (written.includes(false)) throw notWritten();
      await orAborted(this.#dropping, signal);
      if (!this.replaying) return;
      // One that failed has left its stream in the log.
      if (ended === this.#takeOvers.ended) throw notWritten();
    }
  }

  /** Runs in the order of the builder's answers, so the log has the records in the order of the head's rows. */
  #append(tenant: string, record: Uint8Array): Promise<void> {
    const { log } = this.#options;
    // The head is looked up now: the one that was open when the request came may be sealed, and then this row is in the next.
    const head = this.#headOf(liveHead(tenant), tenant);
    if (this.#isOfBefore(head)) {
      // Two streams in one generation would be lost together when somebody takes over the one. The row stays, as that
      // of any request whose acknowledgement was lost.
      this.#sealBehind(head);
      return Promise.reject(streamChanged());
    }
    const { position, durable } = log.append(tenant, record);
    head.appended.set(position.stream, position.segment);
    return durable;
  }

  /** Whether the stream that the head's records are in takes no more, and others may take it over. */
  #isOfBefore({ appended }: HeadState): boolean {
    const { log } = this.#options;
    return log.shared && appended.size > 0 && !appended.has(log.position.stream);
  }

  #headOf(key: string, tenant: string, replays?: string): HeadState {
    let head = this.#heads.get(key);
    if (head === undefined) {
      const { clock, random } = this.#options;
      head = {
        key,
        tenant,
        replays,
        bytes: 0,
        // What is replayed came when its stream was written, which may be days ago.
        openedMs: replays === undefined ? clock.nowMs() : uuidV7TimeMs(replays),
        appended: new Map(),
        jitter: random.u32() / 2 ** 32,
        sealing: undefined,
      };
      this.#heads.set(key, head);
    }
    return head;
  }

  #onReply(reply: PushReply): void {
    const { limits } = this.#options;
    for (const [key, bytes] of reply.sizes) {
      const head = this.#heads.get(key);
      if (head === undefined) continue;
      head.bytes = bytes;
      if (bytes >= limits.generationMaxBytes) this.#sealBehind(head);
    }
    this.#room.setUsed(reply.size);
    // Many small heads fill the memory as well as one large: the largest make room when half of it is open.
    const open = [...this.#heads.values()].filter((head) => head.sealing === undefined && head.replays === undefined);
    let openBytes = open.reduce((sum, head) => sum + head.bytes, 0);
    if (openBytes <= limits.headsMaxBytes / 2) return;
    open.sort((a, b) => b.bytes - a.bytes);
    for (const head of open) {
      if (openBytes <= limits.headsMaxBytes / 2) break;
      openBytes -= head.bytes;
      this.#sealBehind(head);
    }
  }

  #sealBehind(head: HeadState): void {
    this.#seal(head).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) {
        this.#options.logger.error({ err: error, tenant: head.tenant }, 'sealing a head failed: tried again');
      }
    });
  }

  /**
   * Ends a head's generation at a segment boundary. The builder answers in order, so when its answer is here
   * every record of the generation was appended, and none of the next: the log's segment is ended now.
   */
  #seal(head: HeadState): Promise<void> {
    if (head.sealing !== undefined) return head.sealing;
    const sealed = this.#options.builder.seal(head.key).then(
      (answer) => this.#onSealed(head, answer),
      (error: unknown) => {
        head.sealing = undefined;
        throw error;
      },
    );
    head.sealing = sealed;
    this.#sealing = Promise.allSettled([this.#sealing, sealed]).then(() => undefined);
    return sealed;
  }

  #onSealed(head: HeadState, answer: SealedHead | undefined): void {
    const { clock, log } = this.#options;
    this.#heads.delete(head.key);
    // A dead process's stream gets no records: the end of its last segment is where the head was sealed.
    const last = head.replays === undefined ? log.rotate() : undefined;
    if (answer === undefined || this.#abort.signal.aborted) return;
    const covers = [];
    const inLog = new Set(log.streams().map(({ stream }) => stream));
    for (const [stream, segment] of head.appended) {
      // All it had of the stream was refused, and the rest was covered and dropped: the coverage is forgotten, and a
      // step that begins anew would be taken for one that somebody else has made.
      if (!inLog.has(stream)) continue;
      const step = this.#coverage.seal(head.tenant, stream, stream === last?.stream ? last.segment : segment);
      if (step !== undefined) covers.push(step);
    }
    // Somebody else has taken the stream over and closed it: blocks hold what was acknowledged of these rows.
    const isTaken =
      log.shared && head.appended.size > 0 && ![...head.appended.keys()].some((stream) => inLog.has(stream));
    this.#sealed.set(head.key, (this.#sealed.get(head.key) ?? 0) + 1);
    const generation: Generation = {
      tenant: head.tenant,
      head: head.key,
      replays: head.replays,
      number: answer.generation,
      view: answer.view,
      rows: answer.rows,
      covers,
      isTaken,
      openedMs: head.openedMs,
      sealedMs: clock.nowMs(),
    };
    const written = this.#write(generation).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) {
        this.#options.logger.error({ err: error, tenant: head.tenant }, 'writing a block failed: its spans stay');
      }
      return false;
    });
    this.#writing.add(written);
    this.#uncut.add(generation);
    void written.then((isWritten) => {
      this.#writing.delete(written);
      if (isWritten) this.#uncut.delete(generation);
    });
    if (head.replays !== undefined) this.#takeOvers.written(head.replays, written);
  }

  /** Resolves with false when the rows are not in blocks: then they are still in heads and in the log. */
  async #write(generation: Generation): Promise<boolean> {
    const { builder } = this.#options;
    const { tenant, head, covers, isTaken, replays } = generation;
    if (isTaken) await this.#readBlocksOfOthers(tenant);
    else if (await this.#writer.write(generation)) this.#coverage.commit(tenant, covers);
    else if (replays === undefined) await this.#othersCover(generation);
    else {
      // Before the rows leave the heads: what the others have not covered is missing until it was read again.
      this.#takeOvers.replayAgain(replays);
    }
    this.#room.setUsed(await builder.drop(generation.number));
    const others = (this.#sealed.get(head) as number) - 1;
    if (others > 0) this.#sealed.set(head, others);
    else this.#sealed.delete(head);
    this.#dropping = this.#dropping.then(() => this.#dropCovered());
    await this.#dropping;
    return true;
  }

  /**
   * Somebody else has taken over the stream that these rows are acknowledged in, and covers a part of it. The rows
   * stay for queries until blocks of others hold all that was acknowledged of them, or it is said that they may miss.
   */
  async #othersCover({ tenant, covers }: Generation): Promise<void> {
    const { log, logger } = this.#options;
    const { signal } = this.#abort;
    logger.warn({ tenant, covers }, "another process has taken this process's log over: its blocks are waited for");
    for (const { stream, to } of covers) {
      // Where it is this process that takes it over, the rows come from the log again, and need the room of these.
      while (!this.#takeOvers.isReplaying(stream)) {
        // Closed is what is covered to its end. What is not listed of it was never acknowledged.
        const last =
          log
            .streams()
            .find((state) => state.stream === stream)
            ?.segments.at(-1)?.segment ?? 0;
        const { covered } = await this.#readBlocksOfOthers(tenant);
        if ((covered.get(stream) ?? 0) >= Math.min(to, last)) break;
        await orAborted(this.#takeOvers.looked(), signal);
      }
    }
  }

  /** The newest root; queries of this process know it from now on. */
  #readBlocksOfOthers(tenant: string): Promise<ManifestSnapshot> {
    const { signal } = this.#abort;
    const look = () => this.#options.manifest(tenant).snapshot(signal, { maxAgeMs: 0 });
    return retried('reading the coverage', look, { ...this.#options, signal });
  }

  /** Drops from the log, in ascending order, the segments that blocks cover for every tenant in them. */
  async #dropCovered(): Promise<void> {
    const { log, logger } = this.#options;
    for (const { stream, segment, whole } of this.#coveredSegments()) {
      try {
        await log.drop({ stream, segment });
        if (whole) this.#coverage.forget(stream);
      } catch (error) {
        logger.warn({ err: error, stream }, 'dropping covered segments failed: tried again with the next block');
      }
    }
  }

  /**
   * The last segment of each stream that can be dropped. All are judged at one moment: what the log says of a
   * stream before its replay does not say who has records in it, and a replay may end while another stream is dropped.
   */
  #coveredSegments(): { stream: string; segment: number; whole: boolean }[] {
    const { log } = this.#options;
    const found = [];
    for (const { stream, open, segments } of log.streams()) {
      if (this.#takeOvers.isReplaying(stream)) continue;
      let last = 0;
      for (const { segment, tenants } of segments) {
        if (open && segment >= log.position.segment) break;
        if (!this.#coverage.covers(tenants, stream, segment)) break;
        last = segment;
      }
      if (last > 0) found.push({ stream, segment: last, whole: !open && last === segments.at(-1)?.segment });
    }
    return found;
  }

  #tick(): void {
    const { clock, limits, log } = this.#options;
    const now = clock.nowMs();
    let segments = 0;
    for (const state of log.streams()) segments += state.segments.length;
    const backlog = log.bytes > limits.logMaxBytes || segments > limits.logMaxSegments;
    for (const head of this.#heads.values()) {
      if (head.appended.size === 0 || head.replays !== undefined) continue;
      // Its stream takes no more records.
      if (this.#isOfBefore(head)) this.#sealBehind(head);
      const interval = head.bytes < SMALL_HEAD_BYTES ? limits.smallTenantCutIntervalMs : limits.cutIntervalMs;
      // While its last generation waits for the store, a tenant's log gets no shorter by cutting the next.
      const early = backlog && !this.#writer.busy(head.tenant);
      if (early || now - head.openedMs >= interval * (0.9 + 0.2 * head.jitter)) this.#sealBehind(head);
    }
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #replayTarget(): ReplayTarget {
    const { builder, log, clock, random, logger, manifest, limits } = this.#options;
    const { signal } = this.#abort;
    return {
      log,
      clock,
      random,
      logger,
      signal,
      covered: async (tenant, stream) => {
        const { covered } = await manifest(tenant).snapshot(signal, { maxAgeMs: 0 });
        const level = covered.get(stream) ?? 0;
        this.#coverage.load(tenant, stream, level);
        return level;
      },
      room: () => this.#room.waitLong(signal),
      add: async (at, tenant, record) => {
        const head = this.#headOf(replayHead(tenant, at.stream), tenant, at.stream);
        const reply = await builder.push([{ head: head.key, bytes: record, acknowledged: true }]);
        head.appended.set(at.stream, at.segment);
        head.bytes = reply.sizes[0]?.[1] ?? 0;
        this.#room.setUsed(reply.size);
        const outcome = reply.outcomes[0];
        if (outcome === undefined) return undefined;
        if ('defect' in outcome) throw new VivaceError('internal', 'head-defect', outcome.defect);
        return 'malformed' in outcome ? outcome.malformed : outcome.reason;
      },
      endSegment: async (stream, last) => {
        const heads = [...this.#heads.values()].filter(({ replays }) => replays === stream);
        heads.sort((a, b) => b.bytes - a.bytes);
        let openBytes = heads.reduce((sum, head) => sum + head.bytes, 0);
        for (const head of heads) {
          // Heads that fill the memory while none of them is full would keep the replay waiting for room forever.
          const crowded = openBytes > limits.headsMaxBytes / 4;
          if (!last && !crowded && head.bytes < limits.generationMaxBytes) break;
          openBytes -= head.bytes;
          await this.#seal(head);
        }
      },
      done: (stream) => {
        this.#takeOvers.replayed(stream);
        this.#dropping = this.#dropping.then(() => this.#dropCovered());
      },
    };
  }

  #checkRunning(): void {
    this.#abort.signal.throwIfAborted();
  }
}

function resultOf(outcome: Exclude<PushOutcome, { malformed: string } | { defect: string }>): PushResult {
  const result: PushResult = { acceptedSpans: outcome.accepted, rejectedSpans: outcome.rejected };
  if (outcome.reason !== undefined) result.firstReason = outcome.reason;
  return result;
}

/** A fault of our own must not look like one of the request: its sender would throw the spans away. */
function ownFault(error: unknown): VivaceError {
  const fault = toVivaceError(error);
  if (!isKind(fault, 'data', 'invalid', 'unauthorized', 'not-found')) return fault;
  return new VivaceError('internal', fault.code, fault.message, { cause: fault });
}

function streamChanged(): VivaceError {
  return new VivaceError('unavailable', 'log-changed', 'the log has begun a new stream: try again', {
    retryAfterMs: 100,
  });
}

function notWritten(): VivaceError {
  return new VivaceError(
    'unavailable',
    'not-written',
    'not everything could be written: it is kept, and the log says why',
  );
}
