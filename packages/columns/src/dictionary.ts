import { grownLength, grownUint8, grownUint32, INITIAL_ROWS, sharedUint8, sharedUint32 } from './shared-array.ts';
import { equalRange, hashRange, type Source } from './source.ts';
import type { DictionaryView } from './view.ts';

// Hot path: every attribute value of every span goes through `intern` or `intern64`.
// Benchmark: `npm run bench -- micro`, row "columnise".

const INITIAL_SLOTS = 32;

/**
 * Distinct byte strings in order of first appearance, found again by an open-addressed hash table. The value
 * interned last is compared first: neighbouring spans often repeat each other.
 */
export class Dictionary {
  count = 0;
  #bytes = sharedUint8(64);
  #view = new DataView(this.#bytes.buffer);
  #offsets = sharedUint32(INITIAL_ROWS);
  #hashes: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Code + 1, or 0 where free. */
  #slots: Int32Array = new Int32Array(INITIAL_SLOTS);
  #last = -1;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Bytes of all buffers. */
  get size(): number {
    return this.#bytes.length + (this.#offsets.length + this.#hashes.length + this.#slots.length) * 4;
  }

  view(): DictionaryView {
    return { count: this.count, bytes: this.#bytes, offsets: this.#offsets };
  }

  /** The bytes of a code, as a view that stays true. */
  entry(code: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[code], this.#offsets[code + 1]);
  }

  /** The code of `source[from, to)`, new if `count` grew. */
  intern(source: Source, from: number, to: number): number {
    const length = to - from;
    const last = this.#last;
    if (last >= 0) {
      const at = this.#offsets[last] as number;
      if (
        (this.#offsets[last + 1] as number) - at === length &&
        equalRange(this.#view, at, source.view, from, length)
      ) {
        return last;
      }
    }
    const hash = hashRange(source, from, to, this.#seed);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = (slots[slot] as number) - 1;
      if (code < 0) break;
      if (this.#hashes[code] === hash) {
        const at = this.#offsets[code] as number;
        if (
          (this.#offsets[code + 1] as number) - at === length &&
          equalRange(this.#view, at, source.view, from, length)
        ) {
          this.#last = code;
          return code;
        }
      }
      slot = (slot + 1) & mask;
    }
    const start = this.#reserve(length);
    // A plain loop beats subarray and set below a few hundred bytes.
    if (length <= 256) for (let i = 0; i < length; i++) this.#bytes[start + i] = source.bytes[from + i] as number;
    else this.#bytes.set(source.bytes.subarray(from, to), start);
    return this.#add(hash, slot);
  }

  /** The same for eight bytes given as two little-endian halves. Never mixed with `intern` in one dictionary. */
  intern64(low: number, high: number): number {
    const view = this.#view;
    const last = this.#last;
    if (last >= 0 && view.getInt32(last * 8, true) === low && view.getInt32(last * 8 + 4, true) === high) return last;
    let hash = Math.imul(low ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85ebca6b);
    hash ^= hash >>> 13;
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = (slots[slot] as number) - 1;
      if (code < 0) break;
      if (view.getInt32(code * 8, true) === low && view.getInt32(code * 8 + 4, true) === high) {
        this.#last = code;
        return code;
      }
      slot = (slot + 1) & mask;
    }
    const start = this.#reserve(8);
    this.#view.setInt32(start, low, true);
    this.#view.setInt32(start + 4, high, true);
    return this.#add(hash, slot);
  }

  /** Takes the newest entry back: it proved to be unfit just after it was interned. */
  removeLast(): void {
    const code = this.count - 1;
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[code] as number) & mask;
    while (this.#slots[slot] !== code + 1) slot = (slot + 1) & mask;
    // Nothing was interned since, so no other entry can have probed past this slot.
    this.#slots[slot] = 0;
    this.count = code;
    this.#last = -1;
  }

  #reserve(length: number): number {
    const start = this.#offsets[this.count] as number;
    if (start + length > this.#bytes.length) {
      this.#bytes = grownUint8(this.#bytes, grownLength(this.#bytes.length, start + length));
      this.#view = new DataView(this.#bytes.buffer);
    }
    if (this.count + 2 > this.#offsets.length) {
      this.#offsets = grownUint32(this.#offsets, this.#offsets.length * 2);
      const hashes = new Int32Array(this.#offsets.length);
      hashes.set(this.#hashes);
      this.#hashes = hashes;
    }
    this.#offsets[this.count + 1] = start + length;
    return start;
  }

  #add(hash: number, slot: number): number {
    const code = this.count++;
    this.#hashes[code] = hash;
    this.#slots[slot] = code + 1;
    this.#last = code;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return code;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let code = 0; code < this.count; code++) {
      let slot = (this.#hashes[code] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = code + 1;
    }
    this.#slots = slots;
  }
}
