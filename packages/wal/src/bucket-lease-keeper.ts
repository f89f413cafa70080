import { bytesToHex, isKind } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { inTime, isPreconditionFailed, type Patience, persistently } from './bucket-calls.ts';
import { leaseKey } from './bucket-layout.ts';
import { decodeLease, encodeLease, LEASE_MAX_BYTES, type Lease } from './bucket-lease.ts';

/** A lease as it was read, with what the store's clock said in the same answer. */
export interface StoredLease {
  /** Undefined where the object is there and is no lease. */
  lease: Lease | undefined;
  etag: string;
  ageMs: number;
}

/** `not-found` where the stream is closed. */
export async function readLease(store: ObjectStore, stream: string, signal?: AbortSignal): Promise<StoredLease> {
  const key = leaseKey(stream);
  const options = signal === undefined ? {} : { signal };
  const { size, ...info } = await store.head(key, options);
  if (size > LEASE_MAX_BYTES) {
    return { lease: undefined, etag: info.etag, ageMs: info.storeTimeMs - info.lastModifiedMs };
  }
  const whole = await store.get(key, options);
  const ageMs = whole.storeTimeMs - whole.lastModifiedMs;
  try {
    return { lease: decodeLease(whole.bytes), etag: whole.etag, ageMs };
  } catch (error) {
    if (!isKind(error, 'data')) throw error;
    return { lease: undefined, etag: whole.etag, ageMs };
  }
}

/** A lease that hangs in one write must not grow old. */
const WRITE_TIMEOUT_MS = 10_000;

/** What became of a lease: ours still, rewritten by somebody else, or deleted. */
export type LeaseState = 'kept' | 'taken' | 'gone';

/** The lease of a stream of this process: written by it alone, one write after another. */
export class LeaseKeeper {
  readonly #store: ObjectStore;
  readonly #stream: string;
  readonly #patience: Patience;
  #lease: Lease;
  #etag: string;
  /** Of the last write that was begun. */
  #beat = 0;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(store: ObjectStore, stream: string, lease: Lease, etag: string, patience: Patience) {
    this.#store = store;
    this.#stream = stream;
    this.#lease = lease;
    this.#etag = etag;
    this.#patience = patience;
  }

  /**
   * Puts the lease of a new stream. `createdMs`: by the store's clock, when it was there at the latest. Undefined when
   * that took so long that somebody else has taken the stream over and closed it.
   */
  static async create(options: {
    store: ObjectStore;
    stream: string;
    instance: string;
    address: string;
    nonce: Uint8Array;
    patience: Patience;
    signal: AbortSignal | undefined;
  }): Promise<{ keeper: LeaseKeeper; createdMs: number } | undefined> {
    const { store, stream, instance, address, nonce, patience, signal } = options;
    const lease = { instance, address, writer: bytesToHex(nonce), beat: 0, dropped: 0, released: false };
    const put = async () => {
      const callOptions = signal === undefined ? {} : { signal };
      try {
        const { etag, storeTimeMs } = await store.put(leaseKey(stream), [encodeLease(lease)], {
          only: 'absent',
          ...callOptions,
        });
        return { etag, createdMs: storeTimeMs };
      } catch (error) {
        if (!isPreconditionFailed(error)) throw error;
        // Ours, for nobody else knows the id: an earlier attempt was done.
        const { etag, storeTimeMs } = await store.head(leaseKey(stream), callOptions);
        return { etag, createdMs: storeTimeMs };
      }
    };
    try {
      const { etag, createdMs } = await persistently('creating the lease of a stream', put, patience, signal);
      return { keeper: new LeaseKeeper(store, stream, lease, etag, patience), createdMs };
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  get dropped(): number {
    return this.#lease.dropped;
  }

  /** Writes the lease again, with some fields changed. */
  write(
    change: Partial<Pick<Lease, 'dropped' | 'released'>>,
    signal: AbortSignal,
    patience: Patience = this.#patience,
  ): Promise<LeaseState> {
    const written = this.#last.then(() => this.#write(change, signal, patience));
    this.#last = written.catch(() => undefined);
    return written;
  }

  /** Puts the lease again where it was deleted, for whoever takes the stream over; nobody renews it. */
  async restore(): Promise<void> {
    try {
      await this.#store.put(leaseKey(this.#stream), [encodeLease(this.#lease)], { only: 'absent' });
    } catch (error) {
      if (!isPreconditionFailed(error)) throw error;
    }
  }

  /** Closes the stream. */
  delete(patience: Patience = this.#patience): Promise<void> {
    const deleted = this.#last.then(() =>
      persistently('closing a stream', () => this.#store.delete(leaseKey(this.#stream)), patience),
    );
    this.#last = deleted.catch(() => undefined);
    return deleted;
  }

  async #write(change: Partial<Lease>, signal: AbortSignal, patience: Patience): Promise<LeaseState> {
    for (;;) {
      const beat = ++this.#beat;
      const dropped = Math.max(this.#lease.dropped, change.dropped ?? 0);
      const lease = { ...this.#lease, ...change, beat, dropped };
      const put = (limit: AbortSignal) =>
        this.#store.put(leaseKey(this.#stream), [encodeLease(lease)], { only: { etag: this.#etag }, signal: limit });
      const attempt = () => inTime(put, WRITE_TIMEOUT_MS, patience.clock, signal);
      try {
        ({ etag: this.#etag } = await persistently('writing a lease', attempt, patience, signal));
        this.#lease = lease;
        return 'kept';
      } catch (error) {
        if (!isPreconditionFailed(error)) throw error;
      }
      const found = await this.#found(signal, patience);
      if (found === undefined) return 'gone';
      if (found.lease?.writer !== lease.writer) return 'taken';
      // An own write whose answer was lost, or that was given up: what it says of `dropped` holds.
      this.#lease = found.lease;
      this.#etag = found.etag;
      if (found.lease.beat === beat) return 'kept';
    }
  }

  async #found(signal: AbortSignal, patience: Patience): Promise<StoredLease | undefined> {
    const read = () => readLease(this.#store, this.#stream, signal);
    try {
      return await persistently('reading a lease', read, patience, signal);
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }
}

/**
 * Raises `dropped` in the lease of a stream that was taken over; whoever else writes it may do the same. Returns what
 * it is then, or undefined where the stream is closed already.
 */
export async function raiseDropped(
  store: ObjectStore,
  { stream, segment }: { stream: string; segment: number },
  { writer, instance }: { writer: string; instance: string },
  patience: Patience,
): Promise<number | undefined> {
  const attempt = async (): Promise<number> => {
    for (;;) {
      const { lease, etag } = await readLease(store, stream);
      if (lease !== undefined && lease.dropped >= segment) return lease.dropped;
      const next = { instance, address: '', beat: 0, ...lease, released: true, writer, dropped: segment };
      try {
        await store.put(leaseKey(stream), [encodeLease(next)], { only: { etag } });
        return segment;
      } catch (error) {
        if (!isPreconditionFailed(error)) throw error;
      }
    }
  };
  try {
    return await persistently('raising `dropped`', attempt, patience);
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined;
    throw error;
  }
}
