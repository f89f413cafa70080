import { assert, freeMemory } from '@vivace/kernel';
import { mapMemory } from '../mapped-memory.ts';

/** Less is not worth a mapping. */
const SMALL_BYTES = 4 * 1024 * 1024;

/** A part of the room. */
export interface RoomPlace {
  /** A copy, `at` bytes into the place; the bytes themselves where the room is too small to be one. */
  put(bytes: Uint8Array, at: number): Uint8Array;
  /** Whether bytes are such a copy, at the beginning of the place. */
  holds(bytes: Uint8Array): boolean;
}

/**
 * Memory for what inputs keep in memory, a place for each, where one row group is followed by the next. Row groups with
 * memory of their own, of some megabytes each, leave holes behind as what is smaller and lasts longer comes between them:
 * a merge of 20M spans had forty megabytes of them.
 */
export class ReadRoom {
  /** Of all places. */
  bytes = 0;
  #memory: Uint8Array | undefined;

  /** A place for so many bytes; all are reserved before the first is used. */
  reserve(length: number): RoomPlace {
    assert(this.#memory === undefined, 'places of a room are reserved before it is used');
    const from = this.bytes;
    this.bytes += length;
    return {
      put: (bytes, at) => {
        assert(at + bytes.length <= length, 'a place of a room holds what it was reserved for');
        if (this.bytes < SMALL_BYTES) return bytes;
        this.#memory ??= mapMemory(this.bytes);
        const place = this.#memory.subarray(from + at, from + at + bytes.length);
        place.set(bytes);
        return place;
      },
      holds: ({ buffer, byteOffset }) => buffer === this.#memory?.buffer && byteOffset === from,
    };
  }

  /** Gives the memory back until it is used again. Nothing may refer to what is in it. */
  free(): void {
    if (this.#memory !== undefined) freeMemory(this.#memory);
    this.#memory = undefined;
  }
}
