import type { MemoryPool } from './memory-pool.ts';

/** From this size on an array has memory of its own. */
const OWN_BYTES = 4096;
const FIRST_CHUNK_BYTES = 4096;
const LAST_CHUNK_BYTES = 64 * 1024;

/**
 * Hands out typed arrays on shared memory, all zero. Small ones are pieces of common chunks: a thousand tenants
 * with hundreds of rarely used columns would otherwise have hundreds of thousands of buffers. A piece that is outgrown
 * is not used again; the whole arena goes with its column set.
 */
export class Arena {
  readonly #pool: MemoryPool;
  /** All memory in use: chunks, and what arrays have of their own. */
  readonly #buffers = new Set<SharedArrayBuffer>();
  #chunk = new SharedArrayBuffer(0);
  #used = 0;
  #size = 0;
  #lent = false;

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  /** Bytes of all memory handed out and reserved. */
  get size(): number {
    return this.#size;
  }

  int32(length: number): Int32Array {
    const at = this.#take(length * 4);
    return new Int32Array(this.#chunkOf(at, length * 4), Math.max(at, 0), length);
  }

  uint32(length: number): Uint32Array {
    const at = this.#take(length * 4);
    return new Uint32Array(this.#chunkOf(at, length * 4), Math.max(at, 0), length);
  }

  uint8(length: number): Uint8Array {
    const at = this.#take(length);
    return new Uint8Array(this.#chunkOf(at, length), Math.max(at, 0), length);
  }

  grownInt32(array: Int32Array, length: number): Int32Array {
    const grown = this.int32(length);
    grown.set(array);
    this.forget(array);
    return grown;
  }

  grownUint32(array: Uint32Array, length: number): Uint32Array {
    const grown = this.uint32(length);
    grown.set(array);
    this.forget(array);
    return grown;
  }

  grownUint8(array: Uint8Array, length: number): Uint8Array {
    const grown = this.uint8(length);
    grown.set(array);
    this.forget(array);
    return grown;
  }

  /** An array is not used any more. Memory of its own is free once nobody reads it; pieces of chunks stay. */
  forget(array: Int32Array | Uint32Array | Uint8Array): void {
    if (array.byteLength < OWN_BYTES) return;
    this.#size -= array.byteLength;
    const buffer = array.buffer as SharedArrayBuffer;
    this.#buffers.delete(buffer);
    if (!this.#lent) this.#pool.give(buffer);
  }

  /** From now on somebody may read any of its arrays for as long as they like: no memory goes back to the pool. */
  lend(): void {
    this.#lent = true;
  }

  /** Gives its memory back to the pool, unless it was lent. No array may be used any more. */
  release(): void {
    if (!this.#lent) for (const buffer of this.#buffers) this.#pool.give(buffer);
    this.#buffers.clear();
  }

  /** The place of a piece in the current chunk, or -1 for memory of its own. */
  #take(bytes: number): number {
    if (bytes >= OWN_BYTES) return -1;
    const aligned = (bytes + 7) & ~7;
    if (this.#used + aligned > this.#chunk.byteLength) {
      const length = Math.min(LAST_CHUNK_BYTES, Math.max(FIRST_CHUNK_BYTES, this.#chunk.byteLength * 2));
      this.#chunk = this.#make(length);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += aligned;
    return at;
  }

  #chunkOf(at: number, bytes: number): SharedArrayBuffer {
    return at >= 0 ? this.#chunk : this.#make(bytes);
  }

  #make(bytes: number): SharedArrayBuffer {
    const buffer = this.#pool.take(bytes);
    this.#buffers.add(buffer);
    this.#size += bytes;
    return buffer;
  }
}

/** The next capacity that holds `needed` elements, at least double the present one. */
export function grownLength(present: number, needed: number): number {
  let length = present * 2;
  while (length < needed) length *= 2;
  return length;
}

/** Whether a table with room for `capacity` rows, of which there are many, will have to grow soon. */
export function isNearlyFull(count: number, capacity: number): boolean {
  return capacity >= 1024 && capacity - count <= capacity / 64;
}

/** Rows that a fresh table has room for. */
export const INITIAL_ROWS = 16;
