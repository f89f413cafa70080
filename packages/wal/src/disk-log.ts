import path from 'node:path';
import {
  assert,
  type Clock,
  checkTenant,
  type Files,
  type Random,
  systemErrorCode,
  utf8Encode,
  uuidV7,
  VivaceError,
} from '@vivace/kernel';
import { CommitGate } from './commit-gate.ts';
import { DISK_LOG_DEFAULTS, type DiskLogEvent, type DiskLogLimits, type DiskLogOptions } from './disk-log-options.ts';
import {
  type DiskSegment,
  type DiskStream,
  findStreams,
  newSegment,
  newStream,
  type OpenSegment,
  segmentState,
} from './disk-stream.ts';
import { NONCE_BYTES, RECORD_HEAD_BYTES, RECORD_MAX_BYTES } from './layout.ts';
import type { LogRecord, OtherStreams, SealedStream, SegmentPosition, StreamState, WriteAheadLog } from './log.ts';
import { NameSyncs } from './name-syncs.ts';
import { RecordBatch } from './record-batch.ts';
import { sealStream } from './seal.ts';
import { readSegment } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';

/*
 * `append` is a hot path. Benchmark: disk-log.bench.ts.
 *
 * Appends are put together in groups, each for one segment, in a queue. One loop takes them in order: write,
 * sync, resolve. So when a group is durable everything before it is, and a segment is never begun before the
 * one before it is whole.
 *
 * A failed write or sync ends the stream: after it nothing is known about the file but what was synced before
 * (the kernel may call pages clean that never reached the disk, so a second sync proves nothing). The next
 * append begins a new stream in new files.
 */

/** Opens the log in a directory; streams of earlier processes are found, not read. Rejects with `unavailable`. */
export async function openDiskLog(options: DiskLogOptions): Promise<WriteAheadLog> {
  const { files, directory, onEvent } = options;
  try {
    await files.makeDirectory(directory);
    // A process that died while it made these may have left names that are not durable.
    await files.syncDirectory(path.dirname(path.resolve(directory)));
    await files.syncDirectory(directory);
    const found = await findStreams(files, directory, (file) => onEvent?.({ kind: 'unknown-file', file }));
    return new DiskLog(options, found);
  } catch (error) {
    throw new VivaceError('unavailable', 'log-open', `the log cannot be opened: ${directory}`, { cause: error });
  }
}

interface Group {
  segment: OpenSegment;
  batch: RecordBatch;
  /** What `append` returns, the same for all records of the group. */
  receipt: { position: SegmentPosition; durable: Promise<void> };
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Tenant ids kept in their encoded form. */
const TENANTS_KEPT = 10_000;
/** When undurable bytes are at their bound, a slow disk has worked off a good part of them after this time. */
const RETRY_UNDURABLE_MS = 250;
const RETRY_FULL_MS = 1000;

class DiskLog implements WriteAheadLog {
  readonly shared = false;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #directory: string;
  readonly #idTimeMs: () => number;
  readonly #limits: DiskLogLimits;
  readonly #onEvent: (event: DiskLogEvent) => void;
  readonly #names: NameSyncs;
  readonly #writer: SegmentWriter;
  readonly #gate: CommitGate;
  readonly #streams: Map<string, DiskStream>;
  readonly #tenants = new Map<string, Uint8Array>();
  readonly #seals = new Map<string, Promise<void>>();
  readonly #drops = new Map<string, Promise<void>>();
  readonly #idleBatches: RecordBatch[] = [];
  #nonce: Uint8Array;
  #segment: OpenSegment;
  /** Groups that nobody has begun to write; only the last takes records. */
  #queue: Group[] = [];
  #inFlight: Group | undefined;
  #pump: Promise<void> | undefined;
  #failed = false;
  #nextProbeMs = 0;
  #lastIdMs = 0;
  #stopped = false;
  #bytes = 0;
  #undurableBytes = 0;

  constructor(options: DiskLogOptions, found: Map<string, DiskStream>) {
    this.#files = options.files;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#directory = options.directory;
    this.#idTimeMs = options.idTimeMs ?? (() => options.clock.nowMs());
    this.#limits = { ...DISK_LOG_DEFAULTS, ...options.limits };
    this.#onEvent = options.onEvent ?? (() => undefined);
    this.#names = new NameSyncs(options.files);
    this.#writer = new SegmentWriter(options.files, this.#names);
    this.#gate = new CommitGate(options.clock, this.#limits.groupDelayMs);
    this.#streams = found;
    for (const stream of found.values()) for (const segment of stream.segments) this.#bytes += segment.bytes;
    this.#nonce = this.#random.bytes(NONCE_BYTES);
    this.#segment = this.#beginStream();
  }

  get bytes(): number {
    return this.#bytes;
  }

  get undurableBytes(): number {
    return this.#undurableBytes;
  }

  get position(): SegmentPosition {
    return { stream: this.#segment.stream.id, segment: this.#segment.number };
  }

  append(tenant: string, record: Uint8Array): { position: SegmentPosition; durable: Promise<void> } {
    const tenantBytes = this.#tenantBytes(tenant);
    const bytes = RECORD_HEAD_BYTES + tenantBytes.length + record.length;
    const refusal = this.#refusal(bytes);
    if (refusal) {
      const durable = Promise.reject(refusal);
      durable.catch(() => undefined);
      return { position: this.position, durable };
    }
    const segment = this.#segmentFor(bytes);
    let group = this.#queue.at(-1);
    if (group?.segment !== segment) {
      group = this.#newGroup(segment);
      if (this.#queue.push(group) > 1) this.#gate.open();
    }
    group.batch.add(tenant, tenantBytes, record, segment.seed);
    segment.records++;
    segment.bytes += bytes;
    this.#bytes += bytes;
    this.#undurableBytes += bytes;
    if (group.batch.bytes >= this.#limits.groupMaxBytes) this.#gate.open();
    this.#wake();
    return group.receipt;
  }

  rotate(): SegmentPosition {
    const { stream, number, records } = this.#segment;
    if (records === 0) return { stream: stream.id, segment: number - 1 };
    this.#beginSegment(stream, number + 1);
    // The file of the ended segment is closed.
    this.#wake();
    return { stream: stream.id, segment: number };
  }

  streams(): StreamState[] {
    // A tenant with records on the way belongs to its segment already, or the segment would look as if nobody needs it.
    const onTheWay = new Map<DiskSegment, string[]>();
    for (const { segment, batch } of this.#unsettled()) {
      onTheWay.set(segment, [...(onTheWay.get(segment) ?? []), ...batch.tenants]);
    }
    return Array.from(this.#streams.values(), (stream) => ({
      stream: stream.id,
      open: stream.state === 'open',
      segments: stream.segments.map((segment) => segmentState(segment, onTheWay.get(segment))),
    }));
  }

  /** One process at a time has the directory, so all there are were found at the start. */
  async look(): Promise<OtherStreams> {
    return { found: [], foreign: [] };
  }

  async seal(id: string, signal: AbortSignal): Promise<SealedStream> {
    const stream = this.#streams.get(id);
    if (!stream) throw new VivaceError('not-found', 'log-stream', `the log does not hold stream ${id}`);
    if (stream.state === 'open') {
      throw new VivaceError('conflict', 'log-stream-open', `this process appends to stream ${id}`);
    }
    // A caller that gives up must not fail another one that waits for the same: that one seals again.
    while (stream.state === 'found') {
      const others = this.#seals.get(id);
      if (others) await others.catch(() => undefined);
      else await this.#seal(stream, signal);
    }
    // An own stream that got too old may have its last records still on the way.
    for (const segment of stream.segments.slice()) await this.#written(segment);
    const segments = stream.segments.map((segment) => segmentState(segment));
    return { stream: id, segments, damage: [...stream.damage] };
  }

  read(at: SegmentPosition, signal: AbortSignal, tenant?: string): AsyncIterable<LogRecord> {
    const segment = this.#streams.get(at.stream)?.segments.find(({ number }) => number === at.segment);
    return readSegment(this.#files, at, segment, signal, tenant);
  }

  async drop(at: SegmentPosition): Promise<void> {
    const stream = this.#streams.get(at.stream);
    if (!stream) return;
    if (stream === this.#segment.stream && at.segment >= this.#segment.number) {
      throw new VivaceError('conflict', 'log-segment-open', `appends go to segment ${this.#segment.number}`);
    }
    const before = this.#drops.get(at.stream) ?? Promise.resolve();
    const dropped = before.catch(() => undefined).then(() => this.#drop(stream, at.segment));
    this.#drops.set(at.stream, dropped);
    try {
      await dropped;
    } finally {
      if (this.#drops.get(at.stream) === dropped) this.#drops.delete(at.stream);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gate.stop();
    while (this.#pump) await this.#pump;
    await this.#writer.close();
    await Promise.allSettled(this.#drops.values());
    const { stream } = this.#segment;
    this.#endStream(stream);
    if (stream.segments.length === 0) await this.#files.removeDirectory(stream.directory).catch(() => undefined);
  }

  /** Why a record of so many bytes is not taken now. After a failure, one that is taken is the probe. */
  #refusal(bytes: number): VivaceError | undefined {
    const { maxUndurableBytes, maxBytes } = this.#limits;
    if (this.#stopped) return unavailable('log-stopped', 'the log is stopped', RETRY_FULL_MS);
    if (bytes > Math.min(maxUndurableBytes, maxBytes, RECORD_MAX_BYTES)) {
      return new VivaceError('limited', 'log-record', `the record is too long for the log: ${bytes} bytes`);
    }
    if (this.#undurableBytes + bytes > maxUndurableBytes) {
      return unavailable('log-slow', 'the disk of the log is too slow: try again', RETRY_UNDURABLE_MS);
    }
    if (this.#bytes + this.#segment.header.length + bytes > maxBytes) {
      return unavailable('log-full', `the log is full until blocks are cut: ${this.#bytes} bytes`, RETRY_FULL_MS);
    }
    if (!this.#failed || this.#segment.records > 0) return undefined;
    const waitMs = this.#nextProbeMs - this.#clock.monotonicMs();
    if (waitMs > 0) return unavailable('log-failed', 'the disk of the log failed: try again', Math.ceil(waitMs));
    this.#nextProbeMs = this.#clock.monotonicMs() + this.#limits.probeIntervalMs;
    return undefined;
  }

  #segmentFor(bytes: number): OpenSegment {
    const segment = this.#segment;
    if (this.#clock.monotonicMs() - segment.stream.openedMs > this.#limits.streamMaxAgeMs) {
      this.#endStream(segment.stream);
      return this.#register(this.#beginStream());
    }
    if (segment.records === 0) return this.#register(segment);
    if (segment.bytes + bytes <= this.#limits.segmentMaxBytes) return segment;
    return this.#register(this.#beginSegment(segment.stream, segment.number + 1));
  }

  #beginStream(): OpenSegment {
    // The ids of one process ascend, also within a millisecond and when the clock goes back.
    this.#lastIdMs = Math.max(this.#idTimeMs(), this.#lastIdMs + 1);
    const stream = newStream(this.#directory, uuidV7(this.#lastIdMs, this.#random), this.#clock.monotonicMs());
    this.#streams.set(stream.id, stream);
    this.#nonce = this.#random.bytes(NONCE_BYTES);
    return this.#beginSegment(stream, 1);
  }

  #beginSegment(stream: DiskStream, number: number): OpenSegment {
    this.#segment = newSegment(stream, number, this.#nonce, this.#limits.blockBytes);
    return this.#segment;
  }

  /** The segment gets its first record. */
  #register(segment: OpenSegment): OpenSegment {
    segment.stream.segments.push(segment);
    this.#bytes += segment.bytes;
    return segment;
  }

  #endStream(stream: DiskStream): void {
    stream.state = 'sealed';
    if (stream.segments.length === 0) this.#streams.delete(stream.id);
  }

  #newGroup(segment: OpenSegment): Group {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever does not look at it must not bring the process down.
    promise.catch(() => undefined);
    const receipt = { position: { stream: segment.stream.id, segment: segment.number }, durable: promise };
    return { segment, batch: this.#idleBatches.pop() ?? new RecordBatch(), receipt, resolve, reject };
  }

  #unsettled(): Group[] {
    return this.#inFlight ? [this.#inFlight, ...this.#queue] : this.#queue;
  }

  #wake(): void {
    this.#pump ??= this.#run();
  }

  /** Writes groups until there are none. Never rejects. */
  async #run(): Promise<void> {
    // What is appended in the same turn goes together.
    await Promise.resolve();
    let busy = false;
    for (;;) {
      const next = this.#queue[0];
      if (!next) {
        if (this.#writer.active && this.#writer.active !== this.#segment) {
          await this.#writer.release();
          continue;
        }
        this.#pump = undefined;
        return;
      }
      const enough = this.#queue.length > 1 || next.batch.bytes >= this.#limits.groupMaxBytes;
      if (busy && !enough) await this.#gate.wait();
      busy = true;
      const group = this.#queue.shift() as Group;
      this.#inFlight = group;
      this.#gate.begin();
      try {
        const filler = group.batch.finish(this.#limits.blockBytes, group.segment.seed);
        group.segment.bytes += filler;
        this.#bytes += filler;
        this.#undurableBytes += filler;
        await this.#writer.write(group.segment, group.batch.parts);
      } catch (error) {
        await this.#fail(group, error);
        continue;
      }
      this.#settle(group);
    }
  }

  #settle(group: Group): void {
    const { segment, batch } = group;
    this.#inFlight = undefined;
    segment.readableBytes = (segment.readableBytes || segment.header.length) + batch.bytes;
    for (const tenant of batch.tenants) segment.tenants.add(tenant);
    this.#undurableBytes -= batch.bytes;
    this.#recycle(batch);
    if (this.#failed) {
      this.#failed = false;
      this.#onEvent({ kind: 'recovered', at: group.receipt.position });
    }
    group.resolve();
    const half = segment.readableBytes > this.#limits.segmentMaxBytes / 2;
    if (half && segment.stream.state === 'open' && !this.#writer.prepared) {
      const { stream, number } = segment;
      this.#writer.prepare(newSegment(stream, number + 1, this.#nonce, this.#limits.blockBytes));
    }
  }

  /** The end of a stream whose disk failed: rejects what is not durable and cuts what was written of it. */
  async #fail(group: Group, error: unknown): Promise<void> {
    const { stream } = group.segment;
    const rejected = this.#unsettled().filter(({ segment }) => segment.stream === stream);
    this.#queue = this.#queue.filter(({ segment }) => segment.stream !== stream);
    this.#inFlight = undefined;
    if (!this.#failed) this.#nextProbeMs = 0;
    this.#failed = true;
    if (this.#segment.stream === stream) this.#beginStream();
    const failure = unavailable('log-write', 'the disk of the log failed', this.#limits.probeIntervalMs, error);
    for (const { batch, reject } of rejected) {
      this.#undurableBytes -= batch.bytes;
      this.#recycle(batch);
      reject(failure);
    }
    this.#onEvent({ kind: 'failed', at: group.receipt.position, error });
    const cut = stream.segments.filter(({ bytes, readableBytes }) => bytes !== readableBytes);
    for (const segment of cut) {
      const durable = segment.readableBytes as number;
      this.#bytes -= segment.bytes - durable;
      segment.bytes = durable;
    }
    stream.segments = stream.segments.filter(({ bytes }) => bytes > 0);
    this.#endStream(stream);
    await this.#writer.close();
    // As far as the disk allows it: whatever stays was never acknowledged, and a reader may find it.
    for (const segment of cut) {
      if (segment.bytes > 0) await this.#files.truncate(segment.file, segment.bytes).catch(() => undefined);
      else await this.#files.unlink(segment.file).catch(() => undefined);
    }
    if (stream.segments.length === 0) await this.#files.removeDirectory(stream.directory).catch(() => undefined);
  }

  async #seal(stream: DiskStream, signal: AbortSignal): Promise<void> {
    const before = bytesOf(stream);
    const sealing = sealStream(this.#files, stream, signal);
    this.#seals.set(stream.id, sealing);
    try {
      await sealing;
    } finally {
      this.#seals.delete(stream.id);
    }
    this.#bytes += bytesOf(stream) - before;
    for (const damage of stream.damage) this.#onEvent({ kind: 'damage', stream: stream.id, damage });
  }

  async #drop(stream: DiskStream, upTo: number): Promise<void> {
    try {
      for (const segment of stream.segments.filter(({ number }) => number <= upTo)) {
        await this.#written(segment);
        await this.#files.unlink(segment.file).catch(ignoreMissing);
        // One by one, so that a power loss cannot leave a gap.
        await this.#names.sync(stream.directory);
        const at = stream.segments.indexOf(segment);
        if (at < 0) continue;
        stream.segments.splice(at, 1);
        this.#bytes -= segment.bytes;
      }
      if (stream.state !== 'sealed' || stream.segments.length > 0 || !this.#streams.delete(stream.id)) return;
      this.#names.forget(stream.directory);
      await this.#files.removeDirectory(stream.directory).catch(ignoreOccupied);
      await this.#names.sync(this.#directory);
    } catch (error) {
      throw new VivaceError('unavailable', 'log-drop', `stream ${stream.id} cannot be dropped now`, { cause: error });
    }
  }

  /** Waits until nothing of the segment is on its way. */
  async #written(segment: DiskSegment): Promise<void> {
    for (;;) {
      const group = this.#unsettled().find((unsettled) => unsettled.segment === segment);
      if (!group) return;
      await group.receipt.durable.catch(() => undefined);
    }
  }

  #recycle(batch: RecordBatch): void {
    batch.clear();
    if (this.#idleBatches.length < 2) this.#idleBatches.push(batch);
  }

  #tenantBytes(tenant: string): Uint8Array {
    let bytes = this.#tenants.get(tenant);
    if (!bytes) {
      bytes = utf8Encode(checkTenant(tenant));
      if (this.#tenants.size >= TENANTS_KEPT) this.#tenants.clear();
      this.#tenants.set(tenant, bytes);
    }
    return bytes;
  }
}

function bytesOf(stream: DiskStream): number {
  return stream.segments.reduce((sum, segment) => sum + segment.bytes, 0);
}

function unavailable(code: string, message: string, retryAfterMs: number, cause?: unknown): VivaceError {
  return new VivaceError('unavailable', code, message, { retryAfterMs, cause });
}

function ignoreMissing(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}

/** A directory with files that are not ours stays. */
function ignoreOccupied(error: unknown): void {
  const code = systemErrorCode(error);
  assert(code !== undefined, `a directory is removed by the file system: ${String(error)}`);
  if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw error;
}
