/** The columns that make up a span's identity, in the form of view.ts. */
interface IdentityColumns {
  trace: Int32Array;
  spanId: Int32Array;
  start: Uint32Array;
  kind: Uint8Array;
}

/**
 * Finds the row of a span by its identity (trace id, span id, kind, start), so that a resend is noticed when
 * it arrives. Holds row numbers only; what they mean lies in the column set.
 */
export class SpanTable {
  #slots: Int32Array = new Int32Array(64);
  #count = 0;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#slots.length * 4;
  }

  /** The row already there with the identity of `row`, or -1 after putting `row` in. */
  findOrAdd(set: IdentityColumns, row: number): number {
    const slot = this.#slotOf(set, row);
    const found = (this.#slots[slot] as number) - 1;
    if (found >= 0) return found;
    this.#slots[slot] = row + 1;
    if (++this.#count * 2 > this.#slots.length) this.#rehash(set);
    return -1;
  }

  /** The row that stands for the identity of `row`, which some row does. */
  holder(set: IdentityColumns, row: number): number {
    return (this.#slots[this.#slotOf(set, row)] as number) - 1;
  }

  /** From now on `row` stands for its identity. */
  replace(set: IdentityColumns, row: number): void {
    this.#slots[this.#slotOf(set, row)] = row + 1;
  }

  #slotOf(set: IdentityColumns, row: number): number {
    const { spanId, start, trace, kind } = set;
    const slots = this.#slots;
    const mask = slots.length - 1;
    const low = spanId[row * 2] as number;
    const high = spanId[row * 2 + 1] as number;
    let hash = Math.imul(low ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (trace[row] as number), 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (start[row * 2] as number), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (start[row * 2 + 1] as number) ^ ((kind[row] as number) << 24), 0x9e3779b1);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const other = (slots[slot] as number) - 1;
      if (other < 0) return slot;
      if (
        spanId[other * 2] === low &&
        spanId[other * 2 + 1] === high &&
        trace[other] === trace[row] &&
        kind[other] === kind[row] &&
        start[other * 2] === start[row * 2] &&
        start[other * 2 + 1] === start[row * 2 + 1]
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #rehash(set: IdentityColumns): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let i = 0; i < old.length; i++) {
      const row = (old[i] as number) - 1;
      if (row >= 0) this.#slots[this.#slotOf(set, row)] = row + 1;
    }
  }
}
