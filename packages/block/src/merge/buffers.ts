import { freeMemory } from '@vivace/kernel';
import { MappedArrays } from '../mapped-memory.ts';
import { EntryJoin } from './entry-join.ts';

/** Smaller arrays are not worth a place in a mapping. */
const SMALL_BYTES = 16 * 1024;

/** A join may be as large as so many arrays: bytes of entries, and what finds them. */
const JOIN_ARRAYS = 4;
/** Joins that are kept: one for each fixed column, and some for attributes. */
const MAX_JOINS = 64;

/**
 * Arrays that one row group after another is put together in. Memory that were new for each would be garbage of a hundred
 * megabytes before the collector hears of it, and what malloc had of it stays with malloc, in pieces that fit nothing else.
 */
export class Buffers {
  readonly #arrays = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #mapped = new MappedArrays();
  readonly #joins = new Map<string, EntryJoin>();
  /** What an array of a name had when it was let go of: it gets as much again, and need not grow. */
  readonly #sizes = new Map<string, number>();
  /** Of the largest array. */
  #largestBytes = 0;
  /** An array has got a larger place, and nothing uses the one before. */
  #isOutgrown = false;

  /** An empty one. What the one of the same name gave before is not good any more. */
  join(name: string, seed: number): EntryJoin {
    const known = this.#joins.get(name);
    known?.reset();
    const join = known ?? new EntryJoin(seed);
    if (this.#joins.size < MAX_JOINS) this.#joins.set(name, join);
    return join;
  }

  /** At least so many elements, with what was there before. The same name gives the same memory. */
  int32(name: string, length: number): Int32Array<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.#memory(name, 4 * length);
    return new Int32Array(buffer, byteOffset, byteLength / 4);
  }

  uint32(name: string, length: number): Uint32Array<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.#memory(name, 4 * length);
    return new Uint32Array(buffer, byteOffset, byteLength / 4);
  }

  uint8(name: string, length: number): Uint8Array<ArrayBuffer> {
    return this.#memory(name, length);
  }

  /**
   * Lets go of joins that are larger than this, and of all arrays where one of them is, or has outgrown its place: one trace
   * may be as large as a block.
   */
  trim(maxBytes: number): void {
    for (const [name, join] of this.#joins) if (join.capacity > JOIN_ARRAYS * maxBytes) this.#joins.delete(name);
    if (this.#largestBytes <= maxBytes && !this.#isOutgrown) return;
    for (const [name, array] of this.#arrays) {
      if (array.length <= maxBytes) this.#sizes.set(name, array.length);
      freeMemory(array);
    }
    this.#arrays.clear();
    this.#mapped.free();
    this.#largestBytes = 0;
    this.#isOutgrown = false;
  }

  #memory(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    const known = this.#arrays.get(name);
    if (known !== undefined && known.length >= bytes) return known;
    const size = Math.max(Math.ceil((bytes * 1.1) / 64) * 64, this.#sizes.get(name) ?? 0);
    if (known !== undefined) this.#isOutgrown = true;
    const made = size < SMALL_BYTES ? new Uint8Array(size) : this.#mapped.take(size);
    this.#largestBytes = Math.max(this.#largestBytes, size);
    this.#arrays.set(name, made);
    return made;
  }
}
