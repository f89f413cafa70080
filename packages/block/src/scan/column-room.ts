import { freeMemory } from '@vivace/kernel';

/** What malloc maps by itself, and gives back to the system as soon as it is freed, however much was freed before. */
const SLAB_BYTES = 33 * 1024 * 1024;

/** Where scans put large columns that they decode, zeroed. */
export interface ColumnRoom {
  take(length: number): Uint8Array;
}

/**
 * Memory for the columns of one task, given back at once: with memory of their own, of a megabyte each, malloc keeps the
 * holes for as long as something smaller lies behind them.
 */
export class ColumnSlabs implements ColumnRoom {
  #slabs: Uint8Array[] = [];
  /** Of the last slab. */
  #used = SLAB_BYTES;

  take(length: number): Uint8Array {
    const room = Math.ceil(length / 8) * 8;
    if (room > SLAB_BYTES / 2) return this.#add(new Uint8Array(Math.max(room, SLAB_BYTES))).subarray(0, length);
    if (this.#used + room > SLAB_BYTES) {
      // What is not written to takes no memory.
      this.#slabs.push(new Uint8Array(SLAB_BYTES));
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += room;
    return (this.#slabs.at(-1) as Uint8Array).subarray(from, from + length);
  }

  /** Nothing may refer to what is in it. */
  free(): void {
    freeMemory(...this.#slabs);
    this.#slabs = [];
    this.#used = SLAB_BYTES;
  }

  /** A slab of its own, before the one that is being filled. */
  #add(slab: Uint8Array): Uint8Array {
    this.#slabs.unshift(slab);
    return slab;
  }
}
