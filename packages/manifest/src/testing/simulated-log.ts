import { isKind, type Random, utf8Decode, utf8Encode, uuidV7, uuidV7TimeMs, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { SimulatedProcess } from './world.ts';

/**
 * A write-ahead log in the simulated bucket, with the shape of `WriteAheadLog` in @vivace/wal and the bucket
 * protocol: segments put if absent, a lease with `dropped`, streams taken over by a seal at the first missing
 * number.
 */

interface Position {
  stream: string;
  segment: number;
}

/** What lies at a number of a stream. */
interface Slot {
  nonce: string;
  seal: boolean;
  records: [tenant: string, record: string][];
}

interface Lease {
  dropped: number;
}

const leaseKey = (stream: string): string => `streams/${stream}`;
const segmentKey = (stream: string, segment: number): string =>
  `wal/${stream.slice(-2)}/${stream}/${String(segment).padStart(6, '0')}`;
const decodeSlot = (bytes: Uint8Array): Slot => JSON.parse(utf8Decode(bytes)) as Slot;
const decodeLease = (bytes: Uint8Array): Lease => JSON.parse(utf8Decode(bytes)) as Lease;
const encode = (value: Slot | Lease): Uint8Array => utf8Encode(JSON.stringify(value));

/** How a log lies in the bucket, for whoever looks into it from outside. */
export interface LogFormat {
  segmentKey(stream: string, segment: number): string;
  /** The records of a segment; undefined for a seal. */
  records(key: string, bytes: Uint8Array): readonly [tenant: string, record: string][] | undefined;
  /** What a lease says is gone. */
  dropped(lease: Uint8Array): number;
  /** Deletes what closed streams have left. */
  sweep(store: ObjectStore, process: SimulatedProcess): Promise<void>;
}

/** Rules that a test can break. */
export interface LogRules {
  ackBeforeDurable?: boolean;
  ackOutOfOrder?: boolean;
  sealTrustsOldLease?: boolean;
  deleteBeforeDropped?: boolean;
  dropUndurable?: boolean;
  acceptAtOnce?: boolean;
  deleteSeals?: boolean;
}

interface OpenStream {
  id: string;
  segments: Map<number, string[]>;
  /** The segment that takes records. */
  current: { number: number; records: [string, string][] };
  waiters: { segment: number; resolve: () => void; reject: (error: Error) => void }[];
  durable: Set<number>;
  durableUpTo: number;
  /** Nothing is appended from here on. */
  fencedAt: number;
}

export interface SimulatedLogOptions {
  process: SimulatedProcess;
  store: ObjectStore;
  random: Random;
  /** Whoever took the stream over has fixed that records from this segment on were never acknowledged. */
  onFence?: (stream: string, segment: number) => void;
  rules?: LogRules;
}

const MAX_STREAM_AGE_MS = 3600 * 1000;
/** From then on every list of streams in use has the stream. */
const ACCEPT_AFTER_MS = 10_000;

export class SimulatedLog {
  readonly #process: SimulatedProcess;
  readonly #store: ObjectStore;
  readonly #random: Random;
  readonly #onFence: (stream: string, segment: number) => void;
  readonly #rules: LogRules;
  readonly #sealedAt = new Map<string, number>();
  readonly #found: string[];
  #stream: OpenStream;
  bytes = 0;
  undurableBytes = 0;

  private constructor(options: SimulatedLogOptions, stream: OpenStream, found: string[]) {
    this.#process = options.process;
    this.#store = options.store;
    this.#random = options.random;
    this.#onFence = options.onFence ?? (() => undefined);
    this.#rules = options.rules ?? {};
    this.#stream = stream;
    this.#found = found;
  }

  static async open(options: SimulatedLogOptions): Promise<SimulatedLog> {
    const found = await listStreams(options.store, options.process);
    return new SimulatedLog(options, await openStream(options), found);
  }

  get position(): Position {
    return { stream: this.#stream.id, segment: this.#stream.current.number };
  }

  append(tenant: string, record: Uint8Array): { position: Position; durable: Promise<void>; refused: boolean } {
    const stream = this.#stream;
    const { position } = this;
    if (stream.fencedAt <= position.segment) {
      return { position, durable: Promise.reject(fenced()), refused: true };
    }
    const { current } = stream;
    if (current.records.length === 0) {
      this.#process.clock.after(this.#process.world.below(250), () => {
        if (stream.current === current) this.#send(stream);
      });
    }
    current.records.push([tenant, utf8Decode(record)]);
    if (this.#rules.ackBeforeDurable) return { position, durable: Promise.resolve(), refused: false };
    const durable = new Promise<void>((resolve, reject) => {
      stream.waiters.push({ segment: position.segment, resolve, reject });
    });
    return { position, durable, refused: false };
  }

  rotate(): Position {
    const { id, current } = this.#stream;
    if (current.records.length > 0) this.#send(this.#stream);
    return { stream: id, segment: this.#stream.current.number - 1 };
  }

  streams(): { stream: string; open: boolean; segments: { segment: number; bytes: number; tenants: string[] }[] }[] {
    const { id, segments } = this.#stream;
    const own = [...segments].map(([segment, tenants]) => ({ segment, bytes: 0, tenants }));
    return [
      ...this.#found.map((stream) => ({ stream, open: false, segments: [] })),
      { stream: id, open: true, segments: own },
    ];
  }

  /** Streams in the bucket that are not this log's own. */
  async otherStreams(): Promise<string[]> {
    const streams = await listStreams(this.#store, this.#process);
    return streams.filter((stream) => stream !== this.#stream.id);
  }

  /** Takes a stream over. `not-found` when it is closed already. */
  async seal(
    stream: string,
    _signal?: AbortSignal,
  ): Promise<{
    stream: string;
    segments: { segment: number; bytes: number; tenants: string[] }[];
    damage: never[];
    dropped: number;
  }> {
    if (stream === this.#stream.id) throw new VivaceError('conflict', 'log-stream-open', 'it is open');
    for (let dropped = (await this.#lease(stream)).lease.dropped; ; ) {
      const { sealedAt, segments } = await this.#putSeal(stream, dropped + 1);
      // The seal may stand in a hole that the owner made since: raised `dropped`, then deleted what is below. A
      // seal holds only where `dropped`, read after it stands, is below it.
      if (!this.#rules.sealTrustsOldLease) {
        const { lease } = await this.#lease(stream);
        if (lease.dropped >= sealedAt) {
          dropped = lease.dropped;
          continue;
        }
      }
      this.#sealedAt.set(stream, sealedAt);
      return { stream, segments, damage: [], dropped };
    }
  }

  async *read(
    at: Position,
    _signal?: AbortSignal,
    only?: string,
  ): AsyncGenerator<{ tenant: string; bytes: Uint8Array }> {
    const { bytes } = await this.#retried(() => this.#store.get(segmentKey(at.stream, at.segment)));
    for (const [tenant, record] of decodeSlot(bytes).records) {
      if (only === undefined || tenant === only) yield { tenant, bytes: utf8Encode(record) };
    }
  }

  async drop({ stream, segment: wanted }: Position): Promise<void> {
    // Never what is not durable, though blocks may cover it: in its place may be a seal, and without that the
    // stream would go on after it was closed.
    const isOwn = stream === this.#stream.id && !this.#rules.dropUndurable;
    const segment = isOwn ? Math.min(wanted, this.#stream.durableUpTo) : wanted;
    if (isOwn && segment === 0) return;
    if (this.#rules.deleteBeforeDropped) await this.#deleteSegments(stream, segment);
    let dropped = segment;
    try {
      for (;;) {
        const { lease, etag } = await this.#lease(stream);
        dropped = Math.max(segment, lease.dropped);
        if (lease.dropped >= segment) break;
        try {
          await this.#store.put(leaseKey(stream), [encode({ dropped: segment })], { only: { etag } });
          break;
        } catch {
          await this.#backOff();
        }
      }
    } catch (error) {
      if (isKind(error, 'not-found')) return; // Closed by whoever took it over.
      throw error;
    }
    await this.#deleteSegments(stream, segment);
    const sealedAt = this.#sealedAt.get(stream);
    if (sealedAt === undefined || dropped < sealedAt - 1) {
      const own = stream === this.#stream.id ? this.#stream.segments : new Map<number, string[]>();
      for (const known of own.keys()) if (known <= segment) own.delete(known);
      return;
    }
    // What is above the seal was never acknowledged.
    await this.#deleteSegments(stream, Number.POSITIVE_INFINITY, sealedAt);
    await this.#retried(() => this.#store.delete(leaseKey(stream)));
  }

  async stop(): Promise<void> {
    this.rotate();
  }

  async #putSeal(
    stream: string,
    from: number,
  ): Promise<{ sealedAt: number; segments: { segment: number; bytes: number; tenants: string[] }[] }> {
    const segments: { segment: number; bytes: number; tenants: string[] }[] = [];
    const body = encode({ nonce: `seal ${this.#random.u32()}`, seal: true, records: [] });
    for (let number = from; ; ) {
      try {
        await this.#store.put(segmentKey(stream, number), [body], { only: 'absent' });
        return { sealedAt: number, segments };
      } catch (error) {
        if (!isKind(error, 'conflict') || error.code !== 'precondition-failed') {
          await this.#backOff();
          continue;
        }
      }
      const slot = await this.#slot(stream, number);
      if (slot === undefined) continue; // Gone since: dropped, and the seal goes there or further up.
      if (slot.seal) return { sealedAt: number, segments };
      segments.push({ segment: number, bytes: 0, tenants: [...new Set(slot.records.map(([tenant]) => tenant))] });
      number++;
    }
  }

  #send(stream: OpenStream): void {
    const { number, records } = stream.current;
    stream.current = { number: number + 1, records: [] };
    stream.segments.set(number, [...new Set(records.map(([tenant]) => tenant))]);
    const slot: Slot = { nonce: `${this.#process.name} ${this.#random.u32()}`, seal: false, records };
    void this.#put(stream, number, slot);
  }

  async #put(stream: OpenStream, number: number, slot: Slot): Promise<void> {
    while (stream.fencedAt > number) {
      try {
        await this.#store.put(segmentKey(stream.id, number), [encode(slot)], { only: 'absent' });
        break;
      } catch (error) {
        if (!isKind(error, 'conflict') || error.code !== 'precondition-failed') {
          await this.#backOff();
          continue;
        }
      }
      const found = await this.#slot(stream.id, number);
      if (found === undefined) continue;
      if (found.nonce === slot.nonce) break;
      this.#fence(stream, number);
      return;
    }
    if (stream.fencedAt <= number) return;
    stream.durable.add(number);
    while (stream.durable.has(stream.durableUpTo + 1)) stream.durableUpTo++;
    const isDurable = (segment: number) =>
      this.#rules.ackOutOfOrder ? stream.durable.has(segment) : segment <= stream.durableUpTo;
    const done = stream.waiters.filter(({ segment }) => isDurable(segment));
    stream.waiters = stream.waiters.filter(({ segment }) => !isDurable(segment));
    for (const { resolve } of done) resolve();
  }

  #fence(stream: OpenStream, number: number): void {
    if (stream.fencedAt <= number) return;
    const first = stream.fencedAt === Number.POSITIVE_INFINITY;
    stream.fencedAt = number;
    this.#onFence(stream.id, number);
    for (const { segment, reject } of stream.waiters) {
      if (segment >= number) reject(fenced());
    }
    stream.waiters = stream.waiters.filter(({ segment }) => segment < number);
    if (!first) return;
    const options = { process: this.#process, store: this.#store, random: this.#random, rules: this.#rules };
    void openStream(options).then((next) => {
      this.#stream = next;
    });
  }

  async #lease(stream: string): Promise<{ lease: Lease; etag: string }> {
    const { bytes, etag } = await this.#retried(() => this.#store.get(leaseKey(stream)));
    return { lease: decodeLease(bytes), etag };
  }

  async #slot(stream: string, number: number): Promise<Slot | undefined> {
    try {
      const { bytes } = await this.#retried(() => this.#store.get(segmentKey(stream, number)));
      return decodeSlot(bytes);
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  /** Deletes the segments of (above, upTo], ascending. */
  async #deleteSegments(stream: string, upTo: number, above = 0): Promise<void> {
    const { objects } = await this.#retried(() => this.#store.list(segmentKey(stream, 0).slice(0, -6)));
    for (const { key } of objects) {
      const number = Number(key.slice(-6));
      if (number <= above || number > upTo) continue;
      // A seal stays, wherever it stands. A lease that lands late lets a closed stream be sealed again further
      // down; without its first seal the owner, if it only stalled, would go on where nobody looks any more.
      const slot = this.#rules.deleteSeals ? undefined : await this.#slot(stream, number);
      if (!slot?.seal) await this.#retried(() => this.#store.delete(key));
    }
  }

  #backOff(): Promise<void> {
    return this.#process.clock.sleep(this.#process.world.below(2000));
  }

  #retried<T>(attempt: () => Promise<T>): Promise<T> {
    return retried(this.#process, attempt);
  }
}

/** Deletes what closed streams have left, from 48 hours on: segments that landed after they were dropped. */
async function sweepLog(store: ObjectStore, process: SimulatedProcess): Promise<void> {
  const { objects, storeTimeMs } = await retried(process, () => store.list('wal/'));
  const open = new Set(await listStreams(store, process));
  for (const { key } of objects) {
    const stream = key.split('/')[2] as string;
    if (open.has(stream) || uuidV7TimeMs(stream) >= storeTimeMs - 48 * 3600 * 1000) continue;
    try {
      const { bytes } = await retried(process, () => store.get(key));
      if (!decodeSlot(bytes).seal) await retried(process, () => store.delete(key));
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
    }
  }
}

export async function listStreams(store: ObjectStore, process: SimulatedProcess): Promise<string[]> {
  const { objects } = await retried(process, () => store.list('streams/'));
  return objects.map(({ key }) => key.slice('streams/'.length));
}

/** Repeats while the store fails; `not-found` and conflicts come through. */
export async function retried<T>(process: SimulatedProcess, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isKind(error, 'unavailable', 'limited')) throw error;
      await process.clock.sleep(process.world.below(2000));
    }
  }
}

async function openStream({ process, store, random, rules }: SimulatedLogOptions): Promise<OpenStream> {
  for (;;) {
    const { storeTimeMs } = await retried(process, () => store.list('streams/', { limit: 1 }));
    const id = uuidV7(storeTimeMs, random);
    const createdMs = await createLease(id, process, store);
    // A stream that a stall has made old may be below a floor that was set without knowing it.
    if (createdMs - storeTimeMs <= MAX_STREAM_AGE_MS) {
      if (!rules?.acceptAtOnce) await process.clock.sleep(ACCEPT_AFTER_MS);
      return {
        id,
        segments: new Map(),
        current: { number: 1, records: [] },
        waiters: [],
        durable: new Set(),
        durableUpTo: 0,
        fencedAt: Number.POSITIVE_INFINITY,
      };
    }
    await retried(process, () => store.delete(leaseKey(id)));
  }
}

async function createLease(id: string, process: SimulatedProcess, store: ObjectStore): Promise<number> {
  for (;;) {
    try {
      return (await store.put(leaseKey(id), [encode({ dropped: 0 })], { only: 'absent' })).storeTimeMs;
    } catch (error) {
      if (isKind(error, 'conflict') && error.code === 'precondition-failed') {
        // Ours, because nobody else knows the id: an earlier attempt was done.
        const { storeTimeMs } = await retried(process, () => store.list('streams/', { limit: 1 }));
        return storeTimeMs;
      }
      await process.clock.sleep(process.world.below(2000));
    }
  }
}

function fenced(): VivaceError {
  return new VivaceError('unavailable', 'log-fenced', 'the stream was taken over');
}

export const simulatedLogFormat: LogFormat = {
  segmentKey,
  records: (_key, bytes) => {
    const { seal, records } = decodeSlot(bytes);
    return seal ? undefined : records;
  },
  dropped: (lease) => decodeLease(lease).dropped,
  sweep: sweepLog,
};
