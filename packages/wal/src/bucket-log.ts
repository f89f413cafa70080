import {
  bytesToHex,
  type Clock,
  checkTenant,
  fraction,
  isKind,
  orAborted,
  type Random,
  uuidV7,
  uuidV7TimeMs,
  VivaceError,
} from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { type Patience, persistently } from './bucket-calls.ts';
import {
  deleteLeftovers,
  type FoundStream,
  foundStates,
  isSeal,
  listSegments,
  sealFoundStream,
} from './bucket-found-stream.ts';
import { LEASES_PREFIX, leaseKey, SEGMENT_RAW_MAX_BYTES, segmentKey } from './bucket-layout.ts';
import { LeaseKeeper, raiseDropped } from './bucket-lease-keeper.ts';
import {
  BUCKET_LOG_DEFAULTS,
  type BucketLogEvent,
  type BucketLogLimits,
  type BucketLogOptions,
} from './bucket-log-options.ts';
import { findOthers } from './bucket-others.ts';
import { OwnStream } from './bucket-own-stream.ts';
import { readBucketSegment, readListedObject, readSegmentObject } from './bucket-reader.ts';
import { NONCE_BYTES, RECORD_MAX_BYTES } from './layout.ts';
import type { LogRecord, OtherStreams, SealedStream, SegmentPosition, StreamState, WriteAheadLog } from './log.ts';
import { type Ahead, MAX_OBJECTS_AHEAD, ReadAhead } from './read-ahead.ts';
import { sweepLog } from './sweep-log.ts';

/*
 * The log in a bucket (docs/storage-protocol.md): own streams, one of which takes records, and streams of others
 * that are taken over. Nothing is safe because of a lease or a clock: what is acknowledged lies below the first
 * number at which nobody else has put a seal.
 */

/** Opens the log; a stream of its own is there then, and streams that may be taken over are found, not read. */
export async function openBucketLog(options: BucketLogOptions): Promise<WriteAheadLog> {
  const log = new BucketLog(options);
  await log.open(options.signal);
  return log;
}

/** A stream older than this when its lease is there is given up: a floor may have been set that does not know it. */
const YOUNG_MS = 3600 * 1000;
const RETRY_MS = 1000;
/** When undurable bytes are at their bound, a bucket has worked off a good part of them after this time. */
const RETRY_UNDURABLE_MS = 250;
const DELETES_AT_A_TIME = 8;
const DROP_ATTEMPTS = 4;
/** What a store that does not answer may cost a stop besides `stopTimeoutMs`. */
const RELEASE_TIMEOUT_MS = 3000;

class BucketLog implements WriteAheadLog {
  readonly shared = true;
  readonly #options: BucketLogOptions;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: BucketLogLimits;
  readonly #patience: Patience;
  /** For what whoever asked for it asks for again. */
  readonly #someAttempts: Patience;
  readonly #onEvent: (event: BucketLogEvent) => void;
  readonly #nonce: Uint8Array;
  readonly #abort = new AbortController();
  readonly #own = new Map<string, OwnStream>();
  readonly #found = new Map<string, FoundStream>();
  readonly #drops = new Map<string, Promise<void>>();
  readonly #beats = new Map<string, () => void>();
  /** Takes records, unless it is lost and the next is not there yet. */
  #open: OwnStream | undefined;
  #opening: Promise<void> | undefined;
  /** Monotonic time before which the first stream takes nothing. */
  #acceptFromMs = 0;
  #stopping: Promise<void> | undefined;
  #lastIdMs = 0;
  #nextSweepMs: number | undefined;
  #bytes = 0;
  #undurableBytes = 0;
  #ahead: { stream: string; reads: ReadAhead } | undefined;
  /** Monotonic time of the first failure since a segment landed. */
  #failingSinceMs: number | undefined;

  constructor(options: BucketLogOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    const limits = { ...BUCKET_LOG_DEFAULTS, ...options.limits };
    this.#limits = { ...limits, segmentMaxBytes: Math.min(limits.segmentMaxBytes, SEGMENT_RAW_MAX_BYTES) };
    this.#onEvent = options.onEvent ?? (() => undefined);
    this.#patience = { clock: options.clock, random: options.random, onFailure: (...told) => this.#onFailure(...told) };
    this.#someAttempts = { ...this.#patience, attempts: DROP_ATTEMPTS };
    this.#nonce = options.random.bytes(NONCE_BYTES);
  }

  async open(signal?: AbortSignal): Promise<void> {
    await persistently('looking for streams', () => this.#find(true, signal), this.#patience, signal);
    this.#open = await this.#openStream(signal);
    this.#acceptFromMs = this.#clock.monotonicMs() + this.#limits.acceptAfterMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get undurableBytes(): number {
    return this.#undurableBytes;
  }

  get position(): SegmentPosition {
    return this.#stream.position;
  }

  append(tenant: string, record: Uint8Array): { position: SegmentPosition; durable: Promise<void> } {
    checkTenant(tenant);
    const refusal = this.#refusal(OwnStream.cost(record));
    if (refusal === undefined) return this.#stream.append(tenant, record);
    const durable = Promise.reject(refusal);
    durable.catch(() => undefined);
    return { position: this.position, durable };
  }

  rotate(): SegmentPosition {
    return this.#stream.rotate();
  }

  streams(): StreamState[] {
    const found = Array.from(this.#found.values(), (stream) => ({
      stream: stream.id,
      open: false,
      segments: foundStates(stream),
    }));
    const own = Array.from(this.#own.values(), (stream) => ({
      stream: stream.id,
      open: stream === this.#open,
      segments: stream.segments(),
    }));
    return [...found, ...own];
  }

  look(signal: AbortSignal): Promise<OtherStreams> {
    this.#sweepNowAndThen(signal);
    return this.#find(false, signal);
  }

  async seal(id: string, signal: AbortSignal): Promise<SealedStream> {
    const own = this.#own.get(id);
    if (own !== undefined) return this.#sealOwn(own);
    const stream = this.#found.get(id);
    if (stream === undefined) throw new VivaceError('not-found', 'log-stream', `the log does not hold stream ${id}`);
    if (stream.sealedAt === undefined) {
      const before = bytesOf(stream);
      const { leaseMaxAgeMs } = this.#limits;
      const sealer = { store: this.#store, random: this.#random, patience: this.#patience, leaseMaxAgeMs, signal };
      try {
        await sealFoundStream(stream, sealer);
      } catch (error) {
        // Alive after all, or closed by somebody else.
        if (isKind(error, 'conflict', 'not-found')) this.#forgetFound(stream);
        throw error;
      }
      this.#bytes += bytesOf(stream) - before;
      for (const damage of stream.damage) this.#onEvent({ kind: 'damage', stream: id, damage });
    }
    const sealed = { stream: id, segments: foundStates(stream), damage: [...stream.damage] };
    if (stream.segments.length === 0) await this.#dropFound(stream, 0);
    return sealed;
  }

  read(at: SegmentPosition, signal: AbortSignal, tenant?: string): AsyncIterable<LogRecord> {
    const own = this.#own.get(at.stream);
    if (own !== undefined) {
      const listed = own.segments().some(({ segment }) => segment === at.segment);
      const nothing = listed && !own.isDurable(at.segment);
      const readObject = () => readSegmentObject(this.#store, at, signal);
      return readBucketSegment(readObject, at, { listed, nothing }, signal, tenant);
    }
    const found = this.#found.get(at.stream);
    const place = found?.segments.findIndex(({ number }) => number === at.segment) ?? -1;
    const rest = found?.segments.slice(place, place + MAX_OBJECTS_AHEAD) ?? [];
    const readObject = () => orAborted(this.#readAhead(at.stream).next(rest), signal);
    return readBucketSegment(readObject, at, { listed: place >= 0, nothing: false }, signal, tenant);
  }

  /** Streams are taken over one after another. */
  #readAhead(stream: string): ReadAhead {
    if (this.#ahead?.stream !== stream) {
      const read = ({ number, bytes }: Ahead) =>
        readListedObject(this.#store, { stream, segment: number }, bytes, this.#abort.signal);
      this.#ahead = { stream, reads: new ReadAhead(read) };
    }
    return this.#ahead.reads;
  }

  async drop(at: SegmentPosition): Promise<void> {
    const own = this.#own.get(at.stream);
    const found = this.#found.get(at.stream);
    if (own !== undefined && own === this.#open && at.segment >= own.position.segment) {
      throw new VivaceError('conflict', 'log-segment-open', `appends go to segment ${own.position.segment}`);
    }
    const before = this.#drops.get(at.stream) ?? Promise.resolve();
    const dropped = before
      .catch(() => undefined)
      .then(async () => {
        if (own !== undefined) await this.#dropOwn(own, at.segment);
        else if (found?.sealedAt !== undefined) await this.#dropFound(found, at.segment);
      });
    this.#drops.set(at.stream, dropped);
    try {
      await dropped;
    } finally {
      if (this.#drops.get(at.stream) === dropped) this.#drops.delete(at.stream);
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #stream(): OwnStream {
    if (this.#open === undefined) throw new VivaceError('internal', 'log-not-open', 'the log is not open');
    return this.#open;
  }

  #refusal(bytes: number): VivaceError | undefined {
    const { maxUndurableBytes, maxBytes } = this.#limits;
    if (this.#stopping !== undefined) return unavailable('log-stopped', 'the log is stopped', RETRY_MS);
    if (bytes > Math.min(maxUndurableBytes, maxBytes, RECORD_MAX_BYTES)) {
      return new VivaceError('limited', 'log-record', `the record is too long for the log: ${bytes} bytes`);
    }
    if (this.#undurableBytes + bytes > maxUndurableBytes) {
      return unavailable('log-slow', 'the bucket of the log is too slow: try again', RETRY_UNDURABLE_MS);
    }
    if (this.#bytes + bytes > maxBytes) {
      return unavailable('log-full', `the log is full until blocks are cut: ${this.#bytes} bytes`, RETRY_MS);
    }
    if (this.#stream.state !== 'open') {
      return unavailable('log-fenced', 'another process has taken the log over: try again', RETRY_MS);
    }
    const youngMs = this.#acceptFromMs - this.#clock.monotonicMs();
    if (youngMs > 0) return unavailable('log-young', 'the log takes no records yet: try again', youngMs);
    // Those that are late are the probe.
    if (this.#stream.isLate) {
      return unavailable('log-failed', 'the bucket of the log does not take records: try again', RETRY_MS);
    }
    return undefined;
  }

  #onFailure(what: string, error: unknown): void {
    this.#failingSinceMs ??= this.#clock.monotonicMs();
    this.#onEvent({ kind: 'failed', what, error });
  }

  async #openStream(signal?: AbortSignal): Promise<OwnStream> {
    for (;;) {
      const list = () => this.#store.list(LEASES_PREFIX, { limit: 1, ...(signal && { signal }) });
      const { storeTimeMs } = await persistently('reading the time of the store', list, this.#patience, signal);
      // The ids of one process ascend, also within a millisecond.
      this.#lastIdMs = Math.max(storeTimeMs, this.#lastIdMs + 1);
      const id = uuidV7(this.#lastIdMs, this.#random);
      const { instance, address = '' } = this.#options;
      const created = await LeaseKeeper.create({
        store: this.#store,
        stream: id,
        instance,
        address,
        nonce: this.#nonce,
        patience: this.#patience,
        signal,
      });
      if (created === undefined) continue;
      const { keeper, createdMs } = created;
      if (createdMs - uuidV7TimeMs(id) > YOUNG_MS) {
        await keeper.delete();
        continue;
      }
      const stream: OwnStream = new OwnStream({
        id,
        nonce: this.#nonce,
        lease: keeper,
        store: this.#store,
        limits: this.#limits,
        patience: this.#patience,
        signal: this.#abort.signal,
        events: {
          onBytes: (bytes, undurable) => {
            this.#bytes += bytes;
            this.#undurableBytes += undurable;
          },
          onDurable: (at) => {
            if (this.#failingSinceMs === undefined) return;
            this.#failingSinceMs = undefined;
            this.#onEvent({ kind: 'recovered', at });
          },
          onFenced: (at) => {
            this.#stopBeats(id);
            this.#onEvent({ kind: 'fenced', at });
            if (stream === this.#open) this.#replaceStream();
          },
        },
      });
      this.#own.set(id, stream);
      this.#beatLater(stream);
      return stream;
    }
  }

  /** Opens the next stream and has appends go there; until then they go on as before, or are refused. */
  #replaceStream(): void {
    if (this.#opening !== undefined || this.#stopping !== undefined) return;
    const { acceptAfterMs } = this.#limits;
    const { signal } = this.#abort;
    this.#opening = this.#openStream(signal)
      .then(async (next) => {
        if (acceptAfterMs > 0) await this.#clock.sleep(acceptAfterMs, signal);
        return next;
      })
      .then((next) => {
        const before = this.#stream;
        this.#open = next;
        before.end();
        this.#closeIfEmpty(before).catch(() => undefined);
      })
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#onFailure('opening a stream', error);
      })
      .finally(() => {
        this.#opening = undefined;
        // Lost while it was opened.
        if (this.#stream.state === 'lost') this.#replaceStream();
      });
  }

  #beatLater(stream: OwnStream): void {
    const cancel = this.#clock.after(this.#limits.leaseIntervalMs, () => {
      void this.#beat(stream)
        .catch(() => undefined)
        .then(() => {
          if (this.#beats.get(stream.id) === cancel) this.#beatLater(stream);
        });
    });
    this.#beats.set(stream.id, cancel);
  }

  #stopBeats(id: string): void {
    this.#beats.get(id)?.();
    this.#beats.delete(id);
  }

  async #beat(stream: OwnStream): Promise<void> {
    const age = this.#clock.monotonicMs() - stream.openedMs;
    if (stream === this.#open && age > this.#limits.streamMaxAgeMs) this.#replaceStream();
    if ((await stream.lease.write({}, this.#abort.signal)) !== 'kept' && this.#own.has(stream.id)) stream.lose();
  }

  async #find(atStart: boolean, signal?: AbortSignal): Promise<OtherStreams> {
    const others = await findOthers({
      store: this.#store,
      own: (id) => this.#own.get(id),
      known: (id) => this.#found.has(id),
      leaseMaxAgeMs: this.#limits.leaseMaxAgeMs,
      instance: atStart ? this.#options.instance : undefined,
      onUnknown: (key) => this.#onEvent({ kind: 'unknown-key', key }),
      signal,
    });
    for (const stream of this.#own.values()) {
      if (stream.state === 'lost' && !others.listed.has(stream.id)) await this.#closedByOthers(stream, signal);
    }
    const found: string[] = [];
    for (const stream of others.found) {
      const own = this.#own.get(stream.id);
      if (own !== undefined) await this.#forgetOwn(own);
      if (this.#own.has(stream.id) || this.#found.has(stream.id)) continue;
      this.#found.set(stream.id, stream);
      this.#bytes += bytesOf(stream);
      found.push(stream.id);
    }
    return { found, foreign: others.foreign };
  }

  /** Deletes what closed streams have left; each process does, rarely, and none of them minds the others. */
  #sweepNowAndThen(signal: AbortSignal): void {
    const nowMs = this.#clock.monotonicMs();
    const { sweepIntervalMs } = this.#limits;
    this.#nextSweepMs ??= nowMs + fraction(this.#random) * sweepIntervalMs;
    if (nowMs < this.#nextSweepMs) return;
    this.#nextSweepMs = nowMs + sweepIntervalMs * (0.75 + fraction(this.#random) / 2);
    sweepLog(this.#store, signal).catch((error: unknown) => {
      // The next one goes on.
      if (!signal.aborted) this.#onEvent({ kind: 'failed', what: 'sweeping the log', error });
    });
  }

  /**
   * A stream without a lease is closed. But whoever closes one that is not his own has sealed it: where there is no seal,
   * somebody else has deleted the lease, and with it the only sign that what was acknowledged in it has to be read.
   */
  async #closedByOthers(stream: OwnStream, signal?: AbortSignal): Promise<void> {
    const { id, lease } = stream;
    for (const { number, size } of await listSegments(this.#store, id, 0, signal)) {
      if (await isSeal(this.#store, { stream: id, segment: number }, size, signal)) return this.#forgetOwn(stream);
    }
    this.#onEvent({ kind: 'lease-deleted', stream: id });
    await lease.restore();
  }

  /** A stream that others have taken over is one of theirs, once nothing of ours is on its way. */
  async #forgetOwn(stream: OwnStream): Promise<void> {
    if (stream === this.#open || !stream.settled) return;
    stream.forget(Number.POSITIVE_INFINITY);
    this.#own.delete(stream.id);
  }

  #forgetFound(stream: FoundStream): void {
    if (!this.#found.delete(stream.id)) return;
    this.#bytes -= bytesOf(stream);
  }

  async #sealOwn(stream: OwnStream): Promise<SealedStream> {
    if (stream.state !== 'ended') {
      throw new VivaceError('conflict', 'log-stream-open', `this process appends to stream ${stream.id}`);
    }
    await stream.written();
    return { stream: stream.id, segments: stream.segments(), damage: [] };
  }

  /** First the lease says so, then the objects go: whoever seals begins above. */
  async #dropOwn(stream: OwnStream, wanted: number): Promise<void> {
    // A commit may cover a segment whose put is still on its way. In its place may come a seal, which has to stay.
    await stream.written(wanted);
    const segment = Math.min(wanted, stream.durableUpTo);
    if (stream.state === 'lost') return;
    if (segment > stream.lease.dropped) {
      if ((await stream.lease.write({ dropped: segment }, this.#abort.signal, this.#someAttempts)) !== 'kept') {
        stream.lose();
        return;
      }
    }
    const numbers = stream.segments().flatMap((state) => (state.segment <= segment ? [state.segment] : []));
    await this.#deleteSegments(stream.id, numbers);
    stream.forget(segment);
    await this.#closeIfEmpty(stream);
  }

  async #closeIfEmpty(stream: OwnStream): Promise<void> {
    if (stream.state !== 'ended' || !stream.empty || !this.#own.has(stream.id)) return;
    this.#stopBeats(stream.id);
    await stream.lease.delete(this.#someAttempts);
    this.#own.delete(stream.id);
  }

  async #dropFound(stream: FoundStream, upTo: number): Promise<void> {
    const { id, sealedAt } = stream;
    if (sealedAt === undefined || this.#found.get(id) !== stream) return;
    const numbers = stream.segments.flatMap(({ number }) => (number <= upTo ? [number] : []));
    if (numbers.length > 0) {
      const writer = bytesToHex(this.#nonce);
      const at = { stream: id, segment: Math.min(upTo, sealedAt - 1) };
      const dropped = await raiseDropped(
        this.#store,
        at,
        { writer, instance: this.#options.instance },
        this.#someAttempts,
      );
      if (dropped === undefined) {
        this.#forgetFound(stream);
        return;
      }
    }
    await this.#deleteSegments(id, numbers);
    const before = bytesOf(stream);
    stream.segments = stream.segments.filter(({ number }) => number > upTo);
    this.#bytes += bytesOf(stream) - before;
    if (stream.segments.length > 0) return;
    // The seal stays: it is what keeps the owner out.
    await persistently('deleting segments', () => deleteLeftovers(this.#store, id), this.#someAttempts);
    await persistently('closing a stream', () => this.#store.delete(leaseKey(id)), this.#someAttempts);
    this.#forgetFound(stream);
  }

  async #deleteSegments(stream: string, numbers: readonly number[]): Promise<void> {
    const rest = numbers.values();
    const deleteRest = async () => {
      for (const segment of rest) {
        const remove = () => this.#store.delete(segmentKey({ stream, segment }));
        await persistently('deleting segments', remove, this.#someAttempts, this.#abort.signal);
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_A_TIME }, deleteRest));
  }

  async #stop(): Promise<void> {
    const { stopTimeoutMs } = this.#limits;
    for (const stream of this.#own.values()) stream.rotate();
    const written = Promise.all(Array.from(this.#own.values(), (stream) => stream.written()));
    await this.#atMost(stopTimeoutMs, written);
    for (const stream of this.#own.values()) {
      this.#stopBeats(stream.id);
      if (stream.state !== 'lost') {
        stream.giveUp(unavailable('log-stopped', 'the log stopped before the bucket took the record', RETRY_MS));
      }
    }
    await this.#atMost(stopTimeoutMs, Promise.allSettled(this.#drops.values()));
    await this.#atMost(
      RELEASE_TIMEOUT_MS,
      Promise.allSettled(
        Array.from(this.#own.values(), async (stream) => {
          if (stream.state === 'lost') return;
          if (stream.empty) await stream.lease.delete();
          // Whoever comes need not wait until it is old.
          else await stream.lease.write({ released: true }, this.#abort.signal);
        }),
      ),
    );
    this.#abort.abort(new VivaceError('unavailable', 'log-stopped', 'the log is stopped'));
    await this.#opening;
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    const done = new AbortController();
    await Promise.race([work, this.#clock.sleep(ms, done.signal).catch(() => undefined)]);
    done.abort();
  }
}

function bytesOf(stream: FoundStream): number {
  return stream.segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

function unavailable(code: string, message: string, retryAfterMs: number): VivaceError {
  return new VivaceError('unavailable', code, message, { retryAfterMs });
}
