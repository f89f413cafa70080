import { EntryJoin } from './entry-join.ts';

/** A join may be as large as so many arrays: bytes of entries, and what finds them. */
const JOIN_ARRAYS = 4;
/** Joins that are kept: one for each fixed column, and some for attributes. */
const MAX_JOINS = 64;

/**
 * Arrays that one row group after another is put together in. Memory that were new for each would be garbage of a hundred
 * megabytes before the collector hears of it.
 */
export class Buffers {
  readonly #arrays = new Map<string, ArrayBuffer>();
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
    return new Int32Array(this.#memory(name, 4 * length));
  }

  uint32(name: string, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#memory(name, 4 * length));
  }

  uint8(name: string, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory(name, length));
  }

  /** Lets go of what is larger than this: one trace may be as large as a block. */
  trim(maxBytes: number): void {
    for (const [name, memory] of this.#arrays) if (memory.byteLength > maxBytes) this.#free(name);
    for (const [name, join] of this.#joins) if (join.capacity > JOIN_ARRAYS * maxBytes) this.#joins.delete(name);
  }

  #free(name: string): void {
    this.#arrays.get(name)?.transfer(0);
    this.#arrays.delete(name);
  }

  #memory(name: string, bytes: number): ArrayBuffer {
    const known = this.#arrays.get(name);
    if (known !== undefined && known.byteLength >= bytes) return known;
    this.#free(name);
    const made = new ArrayBuffer(Math.ceil((bytes * 1.1) / 64) * 64);
    this.#arrays.set(name, made);
    return made;
  }
}
