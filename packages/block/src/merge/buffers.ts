import { freeMemory } from '@vivace/kernel';
import { MappedArrays } from '../mapped-memory.ts';
import { EntryJoin } from './entry-join.ts';

/** Larger arrays are of a large trace: together they have mappings of their own. */
const LARGE_BYTES = 2 * 1024 * 1024;

/** A join may be as large as so many arrays: bytes of entries, and what finds them. */
const JOIN_ARRAYS = 4;
/** Joins that are kept: one for each fixed column, and some for attributes. */
const MAX_JOINS = 64;

/**
 * Arrays that one row group after another is put together in. Memory that were new for each would be garbage of a hundred
 * megabytes before the collector hears of it.
 */
export class Buffers {
  readonly #arrays = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Large ones, until the next `trim`. */
  readonly #large = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #mapped = new MappedArrays();
  readonly #joins = new Map<string, EntryJoin>();

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

  /** Lets go of what is larger than this, and of all that is large: one trace may be as large as a block. */
  trim(maxBytes: number): void {
    for (const [name, memory] of this.#arrays) if (memory.length > maxBytes) this.#free(name);
    for (const [name, join] of this.#joins) if (join.capacity > JOIN_ARRAYS * maxBytes) this.#joins.delete(name);
    this.#large.clear();
    this.#mapped.free();
  }

  #free(name: string): void {
    const known = this.#arrays.get(name);
    if (known !== undefined) freeMemory(known);
    this.#arrays.delete(name);
  }

  #memory(name: string, bytes: number): Uint8Array<ArrayBuffer> {
    const known = this.#large.get(name) ?? this.#arrays.get(name);
    if (known !== undefined && known.length >= bytes) return known;
    const size = Math.ceil((bytes * 1.1) / 64) * 64;
    if (size > LARGE_BYTES) {
      const large = this.#mapped.take(size);
      this.#large.set(name, large);
      return large;
    }
    this.#free(name);
    const made = new Uint8Array(size);
    this.#arrays.set(name, made);
    return made;
  }
}
