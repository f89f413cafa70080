import type { DictionaryView } from '@vivace/columns';
import { ByteWriter } from './byte-writer.ts';

/** Slots are emptied one by one where one in so many is taken. */
const FEW = 16;
const NOTHING: Uint8Array = new Uint8Array(0);

/** Gives byte strings codes by first appearance. */
export class ByteInterner {
  readonly #bytes = new ByteWriter(256);
  #offsets = new Uint32Array(17);
  #hashes = new Int32Array(16);
  #slots = new Int32Array(32).fill(-1);
  #count = 0;
  /** What codes were asked of last, and as words: the entries of a dictionary lie in one array. */
  #source = NOTHING;
  #words = new DataView(NOTHING.buffer);
  readonly #seed: number;

  /** `seed`: so that a sender cannot choose strings that collide; it does not change the codes. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  code(source: Uint8Array, from: number, to: number): number {
    if (source !== this.#source) {
      this.#source = source;
      this.#words = new DataView(source.buffer, source.byteOffset, source.byteLength);
    }
    const hash = hashOf(this.#words, from, to, this.#seed);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const code = this.#slots[slot] as number;
      if (code < 0) break;
      if (this.#hashes[code] === hash && this.#equal(code, source, from, to)) return code;
      slot = (slot + 1) & mask;
    }
    if (this.#count === this.#hashes.length) {
      this.#grow();
      return this.code(source, from, to);
    }
    const code = this.#count++;
    this.#slots[slot] = code;
    this.#hashes[code] = hash;
    this.#copy(source, from, to);
    this.#offsets[code + 1] = this.#bytes.length;
    return code;
  }

  /** Forgets all entries, and keeps the memory: what `view` gave is not good any more. */
  reset(): void {
    if (this.#count * FEW < this.#slots.length) this.#clear();
    else this.#slots.fill(-1);
    this.#count = 0;
    this.#bytes.reset();
  }

  /** Memory that is kept, about. */
  get capacity(): number {
    return this.#bytes.buffer.length + 16 * this.#hashes.length;
  }

  get count(): number {
    return this.#count;
  }

  view(): DictionaryView {
    return { count: this.#count, bytes: this.#bytes.view(), offsets: this.#offsets };
  }

  /** What `view` gives, in memory of its own. */
  take(): DictionaryView {
    return { count: this.#count, bytes: this.#bytes.take(), offsets: this.#offsets.slice(0, this.#count + 1) };
  }

  /** Empties the slots of all entries. */
  #clear(): void {
    const mask = this.#slots.length - 1;
    for (let code = 0; code < this.#count; code++) {
      let slot = (this.#hashes[code] as number) & mask;
      while (this.#slots[slot] !== code) slot = (slot + 1) & mask;
      this.#slots[slot] = -1;
    }
  }

  #copy(source: Uint8Array, from: number, to: number): void {
    const out = this.#bytes;
    if (to - from > 64) {
      out.bytes(source.subarray(from, to));
      return;
    }
    out.ensure(to - from);
    const { buffer } = out;
    let at = out.length;
    for (let i = from; i < to; i++) buffer[at++] = source[i] as number;
    out.length = at;
  }

  #equal(code: number, source: Uint8Array, from: number, to: number): boolean {
    const start = this.#offsets[code] as number;
    if ((this.#offsets[code + 1] as number) - start !== to - from) return false;
    const { buffer } = this.#bytes;
    for (let i = 0; i < to - from; i++) if (buffer[start + i] !== source[from + i]) return false;
    return true;
  }

  #grow(): void {
    const size = this.#hashes.length * 2;
    const hashes = new Int32Array(size);
    hashes.set(this.#hashes);
    const offsets = new Uint32Array(size + 1);
    offsets.set(this.#offsets);
    this.#hashes = hashes;
    this.#offsets = offsets;
    this.#slots = new Int32Array(size * 2).fill(-1);
    const mask = this.#slots.length - 1;
    for (let code = 0; code < this.#count; code++) {
      let slot = (hashes[code] as number) & mask;
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = code;
    }
  }
}

/** Four bytes a step; the factor is of the seed, so that a sender cannot undo a step with the next. */
function hashOf(bytes: DataView, from: number, to: number, seed: number): number {
  const factor = Math.imul(seed, 0x9e3779b1) | 1;
  let hash = (to - from) ^ seed;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const word = bytes.getInt32(at, true);
    hash = Math.imul((hash ^ (hash >>> 15)) + word, 0x01000193) ^ Math.imul(word ^ (hash << 16), factor);
  }
  for (; at < to; at++) hash = Math.imul((hash ^ (hash >>> 15)) + bytes.getUint8(at), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13);
}
