import type { EncodedSpans } from '@vivace/columns';
import { type Clock, orAborted, type PooledBuffer, type Random, type Service, VivaceError } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { PushResult } from '@vivace/receivers';
import type { Logger } from '@vivace/telemetry';
import type { WriteAheadLog } from '@vivace/wal';
import type { BlockCutter } from './block-cutter.ts';
import { BlockWriter } from './block-writer.ts';
import { Coverage } from './coverage.ts';
import type { Generation } from './generation.ts';
import type { HeadBuilder, PushReply } from './head-builder.ts';
import { type HeadState, liveHead, replayHead } from './head-state.ts';
import type { PushOutcome } from './heads.ts';
import { PushQueue } from './push-queue.ts';
import { type ReplayTarget, replayStreams } from './replay.ts';
import { Room } from './room.ts';

export interface IngesterOptions {
  log: WriteAheadLog;
  builder: HeadBuilder;
  cutter: BlockCutter;
  manifest: (tenant: string) => Manifest;
  store: ObjectStore;
  clock: Clock;
  random: Random;
  logger: Logger;
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
  /** Streams of dead processes that are not wholly in heads yet. */
  readonly #replaying = new Set<string>();
  readonly #writing = new Set<Promise<void>>();
  #sealing: Promise<void> = Promise.resolve();
  #dropping: Promise<void> = Promise.resolve();
  #replay: Promise<void> = Promise.resolve();
  #cancelTick: () => void = () => undefined;

  constructor(options: IngesterOptions) {
    this.#options = options;
    this.#room = new Room({ maxBytes: options.limits.headsMaxBytes, waitMs: ROOM_WAIT_MS, clock: options.clock });
    this.#queue = new PushQueue(options.builder, (reply) => this.#onReply(reply));
    this.#writer = new BlockWriter({ ...options, signal: this.#abort.signal });
  }

  /** Ready at once: streams of dead processes are replayed behind it, and answers say so until that is done. */
  async start(): Promise<void> {
    const { log, logger } = this.#options;
    const dead = log.streams().filter((state) => !state.open);
    for (const { stream } of dead) this.#replaying.add(stream);
    this.#replay = replayStreams(
      dead.map(({ stream }) => stream),
      this.#replayTarget(),
    ).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) logger.error({ error }, 'replaying the log failed: its segments are kept');
    });
    this.#tick();
  }

  /** Seals and writes what it can't keep: nothing. What is not in blocks is in the log. */
  async stop(): Promise<void> {
    this.#cancelTick();
    this.#abort.abort(new VivaceError('unavailable', 'stopping', 'the ingester is stopping'));
    await Promise.allSettled([...this.#writing, this.#replay, this.#dropping, this.#sealing]);
  }

  /** Memory of the heads in bytes. */
  get headBytes(): number {
    return this.#room.used;
  }

  /** True while streams of dead processes are being replayed. */
  get replaying(): boolean {
    return this.#replaying.size > 0;
  }

  /**
   * Takes an encoded ExportTraceServiceRequest. Resolves when its good spans are durable; rejects with
   * `invalid` when it cannot be decoded (nothing is stored then), with `unavailable` when heads or log are
   * full or failing. The buffer may be used again when the promise has settled.
   */
  async push(tenant: string, request: PooledBuffer, signal: AbortSignal): Promise<PushResult> {
    this.#checkRunning();
    await this.#room.wait(signal);
    this.#checkRunning();
    const head = this.#headOf(liveHead(tenant), tenant);
    return new Promise<PushResult>((resolve, reject) => {
      this.#queue.push({
        head: head.key,
        bytes: request.bytes,
        fail: reject,
        accept: (outcome) => {
          if ('malformed' in outcome) {
            reject(new VivaceError('invalid', 'otlp-malformed', outcome.malformed));
            return;
          }
          const result = resultOf(outcome);
          if (outcome.accepted === 0) {
            resolve(result);
            return;
          }
          this.#append(tenant, request.bytes).then(() => resolve(result), reject);
        },
      });
    });
  }

  /** What the heads hold of a trace. */
  async findTrace(tenant: string, id: Uint8Array): Promise<HeadTrace> {
    const { builder, log } = this.#options;
    const heads = [liveHead(tenant), ...log.streams().map(({ stream }) => replayHead(tenant, stream))];
    const problems = this.replaying ? ['the log of a previous process is being replayed: try again in a moment'] : [];
    return { parts: await builder.trace(heads, id), problems };
  }

  /** Cuts everything that is in heads now, and resolves when it is in the manifest and dropped from the log. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#checkRunning();
    await orAborted(this.#replay, signal);
    await orAborted(Promise.all([...this.#heads.values()].map((head) => this.#seal(head))), signal);
    await orAborted(Promise.all(this.#writing), signal);
    await orAborted(this.#dropping, signal);
  }

  /** Runs in the order of the builder's answers, so the log has the records in the order of the head's rows. */
  #append(tenant: string, record: Uint8Array): Promise<void> {
    const { position, durable } = this.#options.log.append(tenant, record);
    // The head is looked up now: the one that was open when the request came may be sealed, and then this row is in the next.
    this.#headOf(liveHead(tenant), tenant).appended.set(position.stream, position.segment);
    return durable;
  }

  #headOf(key: string, tenant: string): HeadState {
    let head = this.#heads.get(key);
    if (head === undefined) {
      const { clock, random } = this.#options;
      head = {
        key,
        tenant,
        bytes: 0,
        openedMs: clock.nowMs(),
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
    const open = [...this.#heads.values()].filter((head) => head.sealing === undefined);
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
      if (!this.#abort.signal.aborted)
        this.#options.logger.error({ error, tenant: head.tenant }, 'sealing a head failed');
    });
  }

  /**
   * Ends a head's generation at a segment boundary. The builder answers in order, so when its answer is here
   * every record of the generation was appended, and none of the next: the log's segment is ended now.
   */
  #seal(head: HeadState): Promise<void> {
    if (head.sealing !== undefined) return head.sealing;
    const { builder, clock, log } = this.#options;
    const sealed = builder.seal(head.key).then((answer) => {
      const last = log.rotate();
      this.#heads.delete(head.key);
      if (answer === undefined) return;
      const covers = [];
      for (const [stream, segment] of head.appended) {
        const step = this.#coverage.seal(head.tenant, stream, stream === last.stream ? last.segment : segment);
        if (step !== undefined) covers.push(step);
      }
      this.#write({
        tenant: head.tenant,
        number: answer.generation,
        view: answer.view,
        rows: answer.rows,
        covers,
        openedMs: head.openedMs,
        sealedMs: clock.nowMs(),
      });
    });
    head.sealing = sealed;
    this.#sealing = Promise.allSettled([this.#sealing, sealed]).then(() => undefined);
    return sealed;
  }

  #write(generation: Generation): void {
    const { builder, logger } = this.#options;
    const written = (async () => {
      const committed = await this.#writer.write(generation);
      if (committed) this.#coverage.commit(generation.tenant, generation.covers);
      this.#room.setUsed(await builder.drop(generation.number));
      this.#dropping = this.#dropping.then(() => this.#dropCovered());
      await this.#dropping;
    })().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) {
        logger.error(
          { error, tenant: generation.tenant },
          'writing a block failed: its spans stay in memory and in the log',
        );
      }
    });
    this.#writing.add(written);
    void written.finally(() => this.#writing.delete(written));
  }

  /** Drops from the log, in ascending order, the segments that blocks cover for every tenant in them. */
  async #dropCovered(): Promise<void> {
    const { log, logger } = this.#options;
    for (const { stream, open, segments } of log.streams()) {
      if (this.#replaying.has(stream)) continue;
      let last = 0;
      for (const { segment, tenants } of segments) {
        if (open && segment >= log.position.segment) break;
        if (!this.#coverage.covers(tenants, stream, segment)) break;
        last = segment;
      }
      if (last === 0) continue;
      try {
        await log.drop({ stream, segment: last });
        if (!open && last === segments.at(-1)?.segment) this.#coverage.forget(stream);
      } catch (error) {
        logger.warn({ error, stream }, 'dropping covered segments failed: tried again with the next block');
      }
    }
  }

  #tick(): void {
    const { clock, limits, log } = this.#options;
    const now = clock.nowMs();
    let segments = 0;
    for (const state of log.streams()) segments += state.segments.length;
    const backlog = log.bytes > limits.logMaxBytes || segments > limits.logMaxSegments;
    for (const head of [...this.#heads.values()]) {
      if (head.appended.size === 0 || head.key !== liveHead(head.tenant)) continue;
      const interval = head.bytes < SMALL_HEAD_BYTES ? limits.smallTenantCutIntervalMs : limits.cutIntervalMs;
      if (backlog || now - head.openedMs >= interval * (0.9 + 0.2 * head.jitter)) this.#sealBehind(head);
    }
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
  }

  #replayTarget(): ReplayTarget {
    const { builder, log, logger, manifest, limits } = this.#options;
    return {
      log,
      logger,
      signal: this.#abort.signal,
      covered: async (tenant, stream) => {
        const { covered } = await manifest(tenant).snapshot(this.#abort.signal);
        const level = covered.get(stream) ?? 0;
        this.#coverage.load(tenant, stream, level);
        return level;
      },
      add: async (at, tenant, record) => {
        await this.#room.waitLong(this.#abort.signal);
        const head = this.#headOf(replayHead(tenant, at.stream), tenant);
        head.appended.set(at.stream, at.segment);
        const reply = await builder.push([{ head: head.key, bytes: record }]);
        head.bytes = reply.sizes[0]?.[1] ?? 0;
        this.#room.setUsed(reply.size);
        const outcome = reply.outcomes[0];
        return outcome !== undefined && 'malformed' in outcome ? outcome.malformed : undefined;
      },
      endSegment: async (stream, last) => {
        for (const head of [...this.#heads.values()]) {
          if (head.key !== replayHead(head.tenant, stream)) continue;
          if (last || head.bytes >= limits.generationMaxBytes) await this.#seal(head);
        }
      },
      done: (stream) => {
        this.#replaying.delete(stream);
        this.#dropping = this.#dropping.then(() => this.#dropCovered());
      },
    };
  }

  #checkRunning(): void {
    this.#abort.signal.throwIfAborted();
  }
}

function resultOf(outcome: Exclude<PushOutcome, { malformed: string }>): PushResult {
  const result: PushResult = { acceptedSpans: outcome.accepted, rejectedSpans: outcome.rejected };
  if (outcome.reason !== undefined) result.firstReason = outcome.reason;
  return result;
}
