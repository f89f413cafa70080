import { type Clock, equalBytes, isKind, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { backOff, inTime, isPreconditionFailed, type Patience, persistently } from './bucket-calls.ts';
import { decodeTrailer, SECTIONS_MAX, segmentKey, TRAILER_BYTES } from './bucket-layout.ts';
import type { LeaseKeeper } from './bucket-lease-keeper.ts';
import type { BucketLogLimits } from './bucket-log-options.ts';
import { encodeSegment } from './bucket-segment.ts';
import type { SegmentPosition, SegmentState } from './log.ts';

/** What a stream tells its log. */
export interface OwnStreamEvents {
  /** The log's bytes, and of them those not durable yet, have changed by so much. */
  onBytes(bytes: number, undurable: number): void;
  onDurable(at: SegmentPosition): void;
  /** Somebody else has taken the stream over; from `at` on nothing was acknowledged. */
  onFenced(at: SegmentPosition): void;
}

export interface OwnStreamOptions {
  id: string;
  nonce: Uint8Array;
  lease: LeaseKeeper;
  store: ObjectStore;
  limits: BucketLogLimits;
  patience: Patience;
  /** Ends everything that is still tried when the log stops. */
  signal: AbortSignal;
  events: OwnStreamEvents;
}

/** Records that go into one segment. */
interface Group {
  number: number;
  tenants: Map<string, Uint8Array[]>;
  rawBytes: number;
  /** Monotonic. */
  openedMs: number;
  /** Set once it is ended and the records are not looked at any more. */
  parts: Promise<Uint8Array[]> | undefined;
  /** Whether its appenders were told that it takes too long. */
  isLate: boolean;
  receipt: { position: SegmentPosition; durable: Promise<void> };
  resolve: () => void;
  reject: (error: Error) => void;
  /** When it is durable or given up. */
  settled: PromiseWithResolvers<void>;
}

interface OwnSegment {
  /** Of the object; of the records while it is on its way. */
  bytes: number;
  tenants: Set<string>;
}

/** What a record takes besides its bytes, about. */
const RECORD_COST_BYTES = 16;

/**
 * A stream of this process: appends become groups, each group one object. Segments are on their way side by side,
 * and a record is acknowledged when its segment and all lower ones are durable. A put whose number is taken by
 * somebody else ends the stream there. Hot path: `append`.
 */
export class OwnStream {
  readonly id: string;
  readonly lease: LeaseKeeper;
  readonly openedMs: number;
  /** `open`: takes records. `ended`: takes no more. `lost`: somebody else has taken it over. */
  state: 'open' | 'ended' | 'lost' = 'open';
  readonly #nonce: Uint8Array;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #limits: BucketLogLimits;
  readonly #patience: Patience;
  readonly #signal: AbortSignal;
  readonly #events: OwnStreamEvents;
  readonly #segments = new Map<number, OwnSegment>();
  /** Groups whose appenders wait, ascending. */
  #unsettled: Group[] = [];
  /** Those of them that are ended and not on their way. */
  #waiting: Group[] = [];
  #current: Group | undefined;
  #nextNumber = 1;
  #inFlight = 0;
  readonly #landed = new Set<number>();
  #durableUpTo = 0;
  #fencedAt = Number.POSITIVE_INFINITY;
  #pumping = false;
  /** Whether a timer runs for the group that waits for others, and for the oldest acknowledgement. */
  #batchTimed = false;
  #ackTimed = false;

  constructor(options: OwnStreamOptions) {
    this.id = options.id;
    this.lease = options.lease;
    this.openedMs = options.patience.clock.monotonicMs();
    this.#nonce = options.nonce;
    this.#store = options.store;
    this.#clock = options.patience.clock;
    this.#limits = options.limits;
    this.#patience = options.patience;
    this.#signal = options.signal;
    this.#events = options.events;
  }

  get position(): SegmentPosition {
    return { stream: this.id, segment: this.#nextNumber };
  }

  /** Up to here all segments are there. */
  get durableUpTo(): number {
    return this.#durableUpTo;
  }

  /** True when nothing is left of it and nothing on its way. */
  get empty(): boolean {
    return this.#segments.size === 0 && this.#unsettled.length === 0;
  }

  /** True while records are on their way that were refused to their senders because that took too long. */
  get isLate(): boolean {
    return this.#unsettled[0]?.isLate === true;
  }

  /** True when nothing is on its way. */
  get settled(): boolean {
    return this.#unsettled.length === 0 && this.#inFlight === 0;
  }

  static cost(record: Uint8Array): number {
    return RECORD_COST_BYTES + record.length;
  }

  append(tenant: string, record: Uint8Array): Group['receipt'] {
    const cost = OwnStream.cost(record);
    let group = this.#current;
    if (group !== undefined && !this.#fits(group, tenant, cost)) {
      this.#endGroup();
      group = undefined;
    }
    group ??= this.#beginGroup();
    const records = group.tenants.get(tenant);
    if (records === undefined) {
      group.tenants.set(tenant, [record]);
      this.#segments.get(group.number)?.tenants.add(tenant);
    } else records.push(record);
    group.rawBytes += cost;
    (this.#segments.get(group.number) as OwnSegment).bytes += cost;
    this.#events.onBytes(cost, cost);
    this.#wake();
    return group.receipt;
  }

  rotate(): SegmentPosition {
    this.#endGroup();
    return { stream: this.id, segment: this.#nextNumber - 1 };
  }

  segments(): SegmentState[] {
    return Array.from(this.#segments, ([segment, { bytes, tenants }]) => ({ segment, bytes, tenants: [...tenants] }));
  }

  /** Takes no record any more. */
  end(): void {
    this.#endGroup();
    if (this.state === 'open') this.state = 'ended';
  }

  /** Resolves when everything up to a segment is durable or given up. */
  async written(upTo = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      const group = this.#unsettled.find(({ number }) => number <= upTo);
      if (group === undefined) return;
      await group.settled.promise;
    }
  }

  /** Whether a segment is there and was acknowledged. */
  isDurable(segment: number): boolean {
    return segment <= this.#durableUpTo && this.#segments.has(segment);
  }

  /** Forgets the segments that were dropped. */
  forget(upTo: number): void {
    for (const [number, { bytes }] of this.#segments) {
      if (number > upTo) break;
      this.#segments.delete(number);
      this.#events.onBytes(-bytes, 0);
    }
  }

  /** The process gives up what is not durable. */
  giveUp(error: VivaceError): void {
    this.end();
    this.#failFrom(1, error);
  }

  /** Somebody else has the stream; from the first segment that is not durable yet on it is not known what they found. */
  lose(): void {
    if (this.state === 'lost') return;
    this.#endGroup();
    this.state = 'lost';
    this.#events.onFenced({ stream: this.id, segment: Math.min(this.#fencedAt, this.#nextNumber) });
  }

  #fits(group: Group, tenant: string, cost: number): boolean {
    if (group.rawBytes + cost > this.#limits.segmentMaxBytes) return false;
    return group.tenants.size < SECTIONS_MAX || group.tenants.has(tenant);
  }

  #beginGroup(): Group {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever does not look at it must not bring the process down.
    promise.catch(() => undefined);
    const number = this.#nextNumber;
    const receipt = { position: { stream: this.id, segment: number }, durable: promise };
    const group = {
      number,
      tenants: new Map(),
      rawBytes: 0,
      openedMs: this.#clock.monotonicMs(),
      parts: undefined,
      isLate: false,
      receipt,
      resolve,
      reject,
      settled: Promise.withResolvers<void>(),
    };
    this.#current = group;
    this.#unsettled.push(group);
    this.#armAckTimer(this.#limits.ackTimeoutMs);
    this.#segments.set(number, { bytes: 0, tenants: new Set() });
    return group;
  }

  #endGroup(): void {
    if (this.#current === undefined) return;
    this.#waiting.push(this.#current);
    this.#current = undefined;
    this.#nextNumber++;
    this.#wake();
  }

  #wake(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // What is appended in the same turn goes together.
    queueMicrotask(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#inFlight < this.#limits.maxInFlight) {
      if (this.#waiting.length === 0) {
        const group = this.#current;
        if (group === undefined) return;
        const waitMs = group.openedMs + this.#limits.batchMaxDelayMs - this.#clock.monotonicMs();
        if (this.#inFlight > 0 && waitMs >= 1) {
          this.#pumpLater(waitMs);
          return;
        }
        this.#endGroup();
      }
      const group = this.#waiting.shift() as Group;
      this.#inFlight++;
      void this.#send(group).finally(() => {
        this.#inFlight--;
        this.#pump();
      });
    }
  }

  #pumpLater(ms: number): void {
    if (this.#batchTimed) return;
    this.#batchTimed = true;
    this.#clock.after(ms, () => {
      this.#batchTimed = false;
      this.#pump();
    });
  }

  /** Never rejects. */
  async #send(group: Group): Promise<void> {
    const at = { stream: this.id, segment: group.number };
    try {
      const parts = await this.#encode(group);
      if (await this.#put(at, parts)) this.#land(group, parts);
      else this.#fence(group.number);
    } catch (error) {
      // A defect, or the log is stopping: what is above can never be acknowledged either.
      this.#endGroup();
      this.#failFrom(group.number, unavailable('log-write', 'the log could not be written', error));
      if (this.#signal.aborted) return;
      this.#patience.onFailure?.('writing a segment of the log', error);
      // Its hole is where whoever takes it over finds its end, this process too.
      this.lose();
    }
  }

  #encode(group: Group): Promise<Uint8Array[]> {
    if (group.parts === undefined) {
      group.parts = encodeSegment(group.receipt.position, this.#nonce, group.tenants);
      // Who asked for it early may not wait for it.
      group.parts.catch(() => undefined);
      group.tenants.clear();
    }
    return group.parts;
  }

  #armAckTimer(ms: number): void {
    if (this.#ackTimed) return;
    this.#ackTimed = true;
    this.#clock.after(ms, () => {
      this.#ackTimed = false;
      this.#rejectLate();
    });
  }

  /** Tells appenders that have waited too long. Their records are still on their way, in memory of the log's own. */
  #rejectLate(): void {
    const { ackTimeoutMs } = this.#limits;
    const error = unavailable('log-failed', 'the bucket of the log does not take records in time: try again');
    for (const group of this.#unsettled) {
      if (group.isLate) continue;
      const leftMs = group.openedMs + ackTimeoutMs - this.#clock.monotonicMs();
      // A timer may fire a moment early.
      if (leftMs >= 1) return this.#armAckTimer(leftMs);
      if (group === this.#current) this.#endGroup();
      void this.#encode(group);
      group.isLate = true;
      group.reject(error);
    }
  }

  /** True when the object is there and ours; false when somebody else's is, or it does not matter any more. */
  async #put(at: SegmentPosition, parts: readonly Uint8Array[]): Promise<boolean> {
    const key = segmentKey(at);
    const put = (signal: AbortSignal) => this.#store.put(key, parts, { only: 'absent', signal });
    for (let failures = 1; this.#fencedAt > at.segment; failures++) {
      try {
        await inTime(put, this.#limits.putTimeoutMs, this.#clock, this.#signal);
        return true;
      } catch (error) {
        this.#signal.throwIfAborted();
        if (isKind(error, 'internal')) throw error;
        if (!isPreconditionFailed(error)) {
          this.#patience.onFailure?.('writing a segment of the log', error);
          await backOff(failures, error, this.#patience, this.#signal);
          continue;
        }
      }
      const nonce = await this.#nonceAt(at);
      // Gone since: it was ours, and whoever took the stream over has dropped it. Once more does no harm.
      if (nonce !== undefined) return equalBytes(nonce, this.#nonce);
    }
    return false;
  }

  /** Who wrote the object in the place of a segment; undefined where none is there. Damage is nobody's. */
  async #nonceAt(at: SegmentPosition): Promise<Uint8Array | undefined> {
    const key = segmentKey(at);
    const signal = this.#signal;
    const read = async () => {
      const { size } = await this.#store.head(key, { signal });
      if (size < TRAILER_BYTES) return new Uint8Array(0);
      const range = { offset: size - TRAILER_BYTES, length: TRAILER_BYTES };
      const { bytes } = await this.#store.get(key, { range, signal });
      return decodeTrailer(at, bytes).nonce;
    };
    try {
      return await persistently('reading a segment back', read, this.#patience, signal);
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      if (isKind(error, 'data')) return new Uint8Array(0);
      throw error;
    }
  }

  #land(group: Group, parts: readonly Uint8Array[]): void {
    const segment = this.#segments.get(group.number);
    if (segment !== undefined) {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      this.#events.onBytes(bytes - segment.bytes, 0);
      segment.bytes = bytes;
    }
    this.#landed.add(group.number);
    while (this.#landed.delete(this.#durableUpTo + 1)) {
      this.#durableUpTo++;
      const durable = this.#unsettled.shift() as Group;
      this.#events.onBytes(0, -durable.rawBytes);
      durable.resolve();
      durable.settled.resolve();
    }
    this.#events.onDurable(group.receipt.position);
  }

  #fence(number: number): void {
    if (number >= this.#fencedAt) return;
    this.#fencedAt = number;
    this.#endGroup();
    this.#failFrom(number, unavailable('log-fenced', 'another process has taken the log over: try again'));
    this.lose();
  }

  /** Rejects what is not durable from a segment on, and forgets it. */
  #failFrom(number: number, error: VivaceError): void {
    const rejected = this.#unsettled.filter((group) => group.number >= number);
    this.#unsettled = this.#unsettled.filter((group) => group.number < number);
    this.#waiting = this.#waiting.filter((group) => group.number < number);
    for (const group of rejected) {
      this.#events.onBytes(-(this.#segments.get(group.number)?.bytes ?? 0), -group.rawBytes);
      this.#segments.delete(group.number);
      group.reject(error);
      group.settled.resolve();
    }
  }
}

function unavailable(code: string, message: string, cause?: unknown): VivaceError {
  return new VivaceError('unavailable', code, message, { retryAfterMs: 1000, cause });
}
