import { type Arena, grownLength } from './arena.ts';
import { equalRange, hashRange, type Source } from './source.ts';
import type { DictionaryView } from './view.ts';

// Hot path: every attribute value of every span goes through `intern` or `intern64`.
// Benchmark: `npm run bench -- micro`, row "columnise".

const INITIAL_ENTRIES = 4;
/** Up to so many entries are compared one by one; a hash table comes after. */
const MAX_LINEAR = 8;
const NO_TABLE = new Int32Array(0);

/**
 * Distinct byte strings in order of first appearance, found again by an open-addressed hash table. The value
 * interned last is compared first: neighbouring spans often repeat each other.
 */
export class Dictionary {
  count = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #offsets: Uint32Array;
  /** By code; as long as there is a table. */
  #hashes: Int32Array = NO_TABLE;
  /** Code + 1, or 0 where free. Empty: no table yet. */
  #slots: Int32Array = NO_TABLE;
  #last = -1;
  readonly #seed: number;
  readonly #arena: Arena;

  constructor(seed: number, arena: Arena) {
    this.#seed = seed;
    this.#arena = arena;
    this.#bytes = arena.uint8(INITIAL_ENTRIES * 8);
    this.#view = viewOf(this.#bytes);
    this.#offsets = arena.uint32(INITIAL_ENTRIES + 1);
  }

  view(): DictionaryView {
    return { count: this.count, bytes: this.#bytes, offsets: this.#offsets };
  }

  /** The code of `source[from, to)`, new if `count` grew. */
  intern(source: Source, from: number, to: number): number {
    const last = this.#last;
    if (last >= 0 && this.#equals(last, source, from, to)) return last;
    const slots = this.#slots;
    if (slots.length === 0) {
      for (let code = 0; code < this.count; code++) {
        if (this.#equals(code, source, from, to)) {
          this.#last = code;
          return code;
        }
      }
      this.#copy(source, from, to);
      return this.#add(0, 0);
    }
    const hash = hashRange(source, from, to, this.#seed);
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = (slots[slot] as number) - 1;
      if (code < 0) break;
      if (this.#hashes[code] === hash && this.#equals(code, source, from, to)) {
        this.#last = code;
        return code;
      }
      slot = (slot + 1) & mask;
    }
    this.#copy(source, from, to);
    return this.#add(hash, slot);
  }

  /** The same for eight bytes given as two little-endian halves. Never mixed with `intern` in one dictionary. */
  intern64(low: number, high: number): number {
    const view = this.#view;
    const last = this.#last;
    if (last >= 0 && view.getInt32(last * 8, true) === low && view.getInt32(last * 8 + 4, true) === high) return last;
    const slots = this.#slots;
    let hash = 0;
    let slot = 0;
    if (slots.length === 0) {
      for (let code = 0; code < this.count; code++) {
        if (view.getInt32(code * 8, true) === low && view.getInt32(code * 8 + 4, true) === high) {
          this.#last = code;
          return code;
        }
      }
    } else {
      const mask = slots.length - 1;
      hash = this.#hash64(low, high);
      slot = hash & mask;
      for (;;) {
        const code = (slots[slot] as number) - 1;
        if (code < 0) break;
        if (view.getInt32(code * 8, true) === low && view.getInt32(code * 8 + 4, true) === high) {
          this.#last = code;
          return code;
        }
        slot = (slot + 1) & mask;
      }
    }
    const start = this.#reserve(8);
    this.#view.setInt32(start, low, true);
    this.#view.setInt32(start + 4, high, true);
    const code = this.#add(hash, slot);
    if (slots.length === 0 && this.#slots.length > 0) this.#rehash64();
    return code;
  }

  /** Takes the newest entry back: it proved to be unfit just after it was interned. */
  removeLast(): void {
    const code = this.count - 1;
    if (this.#slots.length > 0) {
      const mask = this.#slots.length - 1;
      let slot = (this.#hashes[code] as number) & mask;
      while (this.#slots[slot] !== code + 1) slot = (slot + 1) & mask;
      // Nothing was interned since, so no other entry can have probed past this slot.
      this.#slots[slot] = 0;
    }
    this.count = code;
    this.#last = -1;
  }

  #equals(code: number, source: Source, from: number, to: number): boolean {
    const at = this.#offsets[code] as number;
    const length = to - from;
    return (this.#offsets[code + 1] as number) - at === length && equalRange(this.#view, at, source.view, from, length);
  }

  #copy(source: Source, from: number, to: number): void {
    const length = to - from;
    const start = this.#reserve(length);
    // A plain loop beats subarray and set below a few hundred bytes.
    if (length <= 256) for (let i = 0; i < length; i++) this.#bytes[start + i] = source.bytes[from + i] as number;
    else this.#bytes.set(source.bytes.subarray(from, to), start);
  }

  /** Room for an entry of `length` bytes; returns where it begins. */
  #reserve(length: number): number {
    const start = this.#offsets[this.count] as number;
    if (start + length > this.#bytes.length) {
      this.#bytes = this.#arena.grownUint8(this.#bytes, grownLength(this.#bytes.length, start + length));
      this.#view = viewOf(this.#bytes);
    }
    if (this.count + 2 > this.#offsets.length) {
      this.#offsets = this.#arena.grownUint32(this.#offsets, this.#offsets.length * 2);
    }
    this.#offsets[this.count + 1] = start + length;
    return start;
  }

  #add(hash: number, slot: number): number {
    const code = this.count++;
    this.#last = code;
    if (this.#slots.length === 0) {
      if (this.count > MAX_LINEAR) this.#firstTable();
      return code;
    }
    if (code === this.#hashes.length) this.#hashes = this.#arena.grownInt32(this.#hashes, code * 2);
    this.#hashes[code] = hash;
    this.#slots[slot] = code + 1;
    if (this.count * 2 > this.#slots.length) this.#fill(this.#slots.length * 2);
    return code;
  }

  #firstTable(): void {
    this.#hashes = this.#arena.int32(MAX_LINEAR * 4);
    const source: Source = { bytes: this.#bytes, view: this.#view };
    for (let code = 0; code < this.count; code++) {
      const from = this.#offsets[code] as number;
      this.#hashes[code] = hashRange(source, from, this.#offsets[code + 1] as number, this.#seed);
    }
    this.#fill(MAX_LINEAR * 4);
  }

  /** A dictionary of eight-byte entries hashes them as halves. */
  #rehash64(): void {
    for (let code = 0; code < this.count; code++) {
      const low = this.#view.getInt32(code * 8, true);
      this.#hashes[code] = this.#hash64(low, this.#view.getInt32(code * 8 + 4, true));
    }
    this.#fill(this.#slots.length);
  }

  #hash64(low: number, high: number): number {
    let hash = Math.imul(low ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }

  #fill(length: number): void {
    const slots = this.#arena.int32(length);
    const mask = length - 1;
    for (let code = 0; code < this.count; code++) {
      let slot = (this.#hashes[code] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = code + 1;
    }
    if (this.#slots.length > 0) this.#arena.forget(this.#slots);
    this.#slots = slots;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
