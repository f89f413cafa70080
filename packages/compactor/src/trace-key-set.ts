/**
 * Traces by eight bytes of their ids: the first, or where those are zero the last, as a block lists them. Two traces
 * that share them are taken for one.
 */
export class TraceKeySet {
  #slots = new Int32Array(64);
  #words: Int32Array<ArrayBufferLike> = new Int32Array(64);
  #count = 0;
  readonly #seed: number;

  /** `seed` of the hash: whoever sends traces chooses their ids. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#count;
  }

  /** By an id of 16 bytes. */
  addId(id: Uint8Array): void {
    const at = keyOffset(id, 0);
    this.#add(wordAt(id, at), wordAt(id, at + 4));
  }

  /** By the 16 bytes of an id from `offset` on. */
  hasId(ids: Uint8Array, offset = 0): boolean {
    const at = keyOffset(ids, offset);
    return this.#find(wordAt(ids, at), wordAt(ids, at + 4)) >= 0;
  }

  /** By the eight bytes, many one after another. */
  addKeys(keys: Uint8Array): void {
    for (let at = 0; at + 8 <= keys.length; at += 8) this.#add(wordAt(keys, at), wordAt(keys, at + 4));
  }

  hasKey(keys: Uint8Array, at: number): boolean {
    return this.#find(wordAt(keys, at), wordAt(keys, at + 4)) >= 0;
  }

  #add(low: number, high: number): void {
    const slot = this.#find(low, high);
    if (slot >= 0) return;
    if (2 * this.#count + 2 > this.#words.length) {
      const words = new Int32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[2 * this.#count] = low;
    this.#words[2 * this.#count + 1] = high;
    this.#slots[-1 - slot] = ++this.#count;
    if (2 * this.#count > this.#slots.length) this.#grow();
  }

  #grow(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (let entry = 0; entry < this.#count; entry++) {
      const slot = this.#find(this.#words[2 * entry] as number, this.#words[2 * entry + 1] as number);
      this.#slots[-1 - slot] = entry + 1;
    }
  }

  /** The number of an entry; -1 - the slot for it where there is none. */
  #find(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    let hash = Math.imul(low ^ this.#seed, 0x9e3779b1);
    hash = Math.imul((hash ^ (hash >>> 15)) + high, 0x85ebca6b);
    for (let slot = (hash ^ (hash >>> 13)) & mask; ; slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) return -1 - slot;
      if (this.#words[2 * entry] === low && this.#words[2 * entry + 1] === high) return entry;
    }
  }
}

function keyOffset(ids: Uint8Array, offset: number): number {
  for (let i = offset; i < offset + 8; i++) if (ids[i] !== 0) return offset;
  return offset + 8;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
