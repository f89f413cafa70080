/** From this size on an array has memory of its own. */
const OWN_BYTES = 4096;
const FIRST_CHUNK_BYTES = 4096;
const LAST_CHUNK_BYTES = 64 * 1024;

/**
 * Hands out typed arrays on shared memory, all zero. Small ones are pieces of common chunks: a thousand tenants
 * with hundreds of rarely used columns would otherwise have hundreds of thousands of buffers. What is outgrown
 * is not used again; the whole arena goes with its column set.
 */
export class Arena {
  #chunk = new SharedArrayBuffer(0);
  #used = 0;
  #size = 0;

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
  forget(array: { byteLength: number }): void {
    if (array.byteLength >= OWN_BYTES) this.#size -= array.byteLength;
  }

  /** The place of a piece in the current chunk, or -1 for memory of its own. */
  #take(bytes: number): number {
    if (bytes >= OWN_BYTES) return -1;
    const aligned = (bytes + 7) & ~7;
    if (this.#used + aligned > this.#chunk.byteLength) {
      const length = Math.min(LAST_CHUNK_BYTES, Math.max(FIRST_CHUNK_BYTES, this.#chunk.byteLength * 2));
      this.#chunk = new SharedArrayBuffer(length);
      this.#size += length;
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += aligned;
    return at;
  }

  #chunkOf(at: number, bytes: number): SharedArrayBuffer {
    if (at >= 0) return this.#chunk;
    this.#size += bytes;
    return new SharedArrayBuffer(bytes);
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
