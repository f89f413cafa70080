import { freeMemory } from '@vivace/kernel';

/** What malloc maps by itself, and gives back to the system as soon as it is freed, however much was freed before. */
const MAPPED_BYTES = 33 * 1024 * 1024;

/** Arrays begin where words of any size may. */
const ALIGNMENT = 64;

/**
 * Memory that goes back to the system as soon as it is freed. What malloc takes from its own it keeps where something that
 * lasts longer lies behind, and of what is free it keeps the more the larger the arrays were that it has seen. What is not
 * written to takes no memory.
 */
export function mapMemory(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.max(MAPPED_BYTES, bytes));
}

/** Such memory for several arrays that are let go of together. */
export class MappedArrays {
  #mappings: Uint8Array<ArrayBuffer>[] = [];
  /** Of the last mapping. */
  #used = 0;

  take(bytes: number): Uint8Array<ArrayBuffer> {
    let mapping = this.#mappings.at(-1);
    if (mapping === undefined || this.#used + bytes > mapping.length) {
      mapping = mapMemory(bytes);
      this.#mappings.push(mapping);
      this.#used = 0;
    }
    const taken = mapping.subarray(this.#used, this.#used + bytes);
    this.#used += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return taken;
  }

  /** Nothing may refer to any of the arrays any more. */
  free(): void {
    freeMemory(...this.#mappings);
    this.#mappings = [];
  }
}
