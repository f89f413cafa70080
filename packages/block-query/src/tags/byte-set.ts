import { systemRandom } from '@vivace/kernel';

// Hot path: every dictionary entry that some row uses comes here once a batch. Benchmark: `tags/tags.bench.ts`.

/** Senders choose what is hashed. */
const SEED = systemRandom.u32();

/** Distinct byte strings in order of first appearance. */
export class ByteSet {
  count = 0;
  #bytes = new Uint8Array(256);
  #offsets = new Uint32Array(17);
  #hashes = new Int32Array(16);
  /** 1 + the number of an entry. */
  #slots = new Int32Array(32);

  /** True where `source[from … to - 1]` was not there before. */
  add(source: Uint8Array, from: number, to: number): boolean {
    const hash = hashOf(source, from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) break;
      if (this.#hashes[entry] === hash && this.#equals(entry, source, from, to)) return false;
      slot = (slot + 1) & mask;
    }
    const start = this.#offsets[this.count] as number;
    const end = start + to - from;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, new Uint8Array(Math.max(end, 2 * start)));
    for (let i = from; i < to; i++) this.#bytes[start + i - from] = source[i] as number;
    this.#hashes[this.count] = hash;
    this.#slots[slot] = ++this.count;
    this.#offsets[this.count] = end;
    if (this.count === this.#hashes.length) this.#grow();
    return true;
  }

  entry(number: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[number], this.#offsets[number + 1]);
  }

  #equals(entry: number, source: Uint8Array, from: number, to: number): boolean {
    const start = this.#offsets[entry] as number;
    if ((this.#offsets[entry + 1] as number) - start !== to - from) return false;
    for (let i = from; i < to; i++) if (this.#bytes[start + i - from] !== source[i]) return false;
    return true;
  }

  #grow(): void {
    this.#hashes = grown(this.#hashes, new Int32Array(2 * this.count));
    this.#offsets = grown(this.#offsets, new Uint32Array(2 * this.count + 1));
    this.#slots = new Int32Array(4 * this.count);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.count; entry++) {
      let slot = (this.#hashes[entry] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}

function grown<T extends Uint8Array | Int32Array | Uint32Array>(from: T, into: T): T {
  into.set(from);
  return into;
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = SEED | 0;
  for (let i = from; i < to; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (to - from), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
