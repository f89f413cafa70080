import type { IncomingMessage } from 'node:http';
import { type BufferPool, copyBytes, freeMemory, type PooledBuffer, VivaceError } from '@vivace/kernel';
import { overloaded, tooLarge } from './body-errors.ts';
import type { ByteBudget } from './byte-budget.ts';

/** What bounds and feeds the memory of requests, shared by all receivers of a process. */
export interface RequestMemory {
  pool: BufferPool;
  budget: ByteBudget;
}

/** Taken at most for a body on the word of its Content-Length; beyond that room grows with what has come. */
const TRUSTED_BYTES = 1024 * 1024;
/** The smallest room worth asking for: a pooled buffer is never smaller. */
const FIRST_BYTES = 64 * 1024;

/**
 * The bytes of one request, in a pooled buffer that is accounted for in the budget. `release` gives back
 * whatever there is, once or more often.
 */
export class RequestBody {
  private readonly memory: RequestMemory;
  private readonly maxBytes: number;
  private buffer: PooledBuffer | undefined;
  private taken = 0;
  private length = 0;
  private expected: number;

  constructor(memory: RequestMemory, maxBytes: number) {
    this.memory = memory;
    this.maxBytes = maxBytes;
    this.expected = maxBytes;
  }

  /** Prepares for `length` bytes. Throws `limited` if that is too long, `unavailable` if there is no room now. */
  expect(length: number): void {
    if (length > this.maxBytes) throw tooLarge(this.maxBytes);
    const { budget } = this.memory;
    if (budget.usedBytes + length > budget.maxBytes) throw overloaded(budget.maxBytes);
    this.expected = length;
    // While there is plenty, one piece for the whole body saves copies; later, promises are not paid in advance.
    const trusted = budget.usedBytes < budget.maxBytes / 4 ? TRUSTED_BYTES : FIRST_BYTES;
    this.reserve(Math.min(length, trusted));
  }

  append(chunk: Uint8Array): void {
    const needed = this.length + chunk.length;
    if (needed > this.maxBytes) throw tooLarge(this.maxBytes);
    if (needed > this.taken) {
      this.reserve(Math.max(needed, Math.min(Math.max(this.taken * 2, FIRST_BYTES), this.expected)));
    }
    if (this.buffer !== undefined) copyBytes(this.buffer.bytes, chunk, this.length);
    this.length = needed;
  }

  /** Replaces everything by `parts`, which may be views on it. */
  replace(parts: readonly Uint8Array[]): void {
    let total = 0;
    for (const part of parts) total += part.length;
    const old = this.buffer;
    this.buffer = undefined;
    this.length = 0;
    try {
      this.reserve(total);
      for (const part of parts) this.append(part);
    } finally {
      old?.release();
    }
  }

  get bytes(): Uint8Array<SharedArrayBuffer> {
    return this.buffer?.bytes.subarray(0, this.length) ?? EMPTY;
  }

  release(): void {
    this.buffer?.release();
    this.buffer = undefined;
    this.memory.budget.give(this.taken);
    this.taken = 0;
    this.length = 0;
  }

  private reserve(capacity: number): void {
    const { pool, budget } = this.memory;
    if (!budget.take(capacity - this.taken)) throw overloaded(budget.maxBytes);
    this.taken = capacity;
    const larger = pool.acquire(capacity);
    if (this.buffer !== undefined) {
      larger.bytes.set(this.buffer.bytes.subarray(0, this.length));
      this.buffer.release();
    }
    this.buffer = larger;
  }
}

const EMPTY = new Uint8Array(new SharedArrayBuffer(0));

/** The body of a request on its way. */
export interface BodyReading {
  /** Rejects with what `append` throws, with the reason of `giveUp`, or `canceled` if the client leaves. */
  readonly done: Promise<void>;
  giveUp(reason: VivaceError): void;
}

/** Reads the body of an HTTP request into `body`, as soon as it comes: nothing here waits for room. */
export function collectBody(message: IncomingMessage, body: RequestBody): BodyReading {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle = (error?: unknown) => {
    message.off('data', onData).off('end', onEnd).off('close', onClose);
    // What still comes is thrown away, or the answer would wait for it.
    message.resume();
    if (error === undefined) resolve();
    else reject(error as Error);
  };
  const onData = (chunk: Uint8Array) => {
    try {
      body.append(chunk);
      // node:http makes a new buffer for each: left to the collector, 450 MB of bodies cost a second of CPU.
      freeMemory(chunk);
    } catch (error) {
      settle(error);
    }
  };
  const onEnd = () => settle();
  const onClose = () =>
    settle(new VivaceError('canceled', 'client-gone', 'the client left before its body was complete'));
  // An error is always followed by close, which is what counts.
  message
    .on('data', onData)
    .on('end', onEnd)
    .on('close', onClose)
    .on('error', () => undefined);
  return { done: promise, giveUp: settle };
}
