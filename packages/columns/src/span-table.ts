/** The columns that make up a span's identity, in the form of view.ts. */
interface IdentityColumns {
  trace: Int32Array;
  spanId: Int32Array;
  start: Uint32Array;
  kind: Uint8Array;
}

// Hot path: every span is entered once. Benchmark: `npm run bench -- micro`, row "columnise".
//
// With a quarter of a million spans nearly every look into the table misses the processor's caches. One look after
// another cost 300 ns a span, where it was entered when it was scanned. Here the first looks of many rows come in one
// loop that waits for none of them, and a hash beside each row spares the look at another row's columns.

/** Rows that are hashed and looked up together. */
const TOGETHER = 256;

/**
 * Finds the row of a span by its identity (trace id, span id, kind, start), so that a resend is noticed when
 * it arrives. Holds row numbers only; what they mean lies in the column set.
 */
export class SpanTable {
  /** Pairs: row + 1, or 0 where free, and the hash of its identity. */
  #slots: Int32Array = new Int32Array(2 * 64);
  #count = 0;
  readonly #hashes = new Int32Array(TOGETHER);
  /** What the first look saw, by place in `#hashes`. */
  readonly #first = new Int32Array(TOGETHER);
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  get size(): number {
    return this.#slots.length * 4;
  }

  /**
   * Enters the rows `from … to - 1` that are not dead; returns those whose identity a row has that is there already,
   * which goes on standing for it.
   */
  enter(set: IdentityColumns & { dead: Uint8Array }, from: number, to: number): number[] {
    const known: number[] = [];
    for (let row = from; row < to; row += TOGETHER) this.#enterSome(set, row, Math.min(row + TOGETHER, to), known);
    return known;
  }

  /** The row that stands for the identity of `row`, which some row does. */
  holder(set: IdentityColumns, row: number): number {
    return (this.#slots[this.#slotOf(set, row, this.#hash(set, row))] as number) - 1;
  }

  /** From now on `row` stands for its identity. */
  replace(set: IdentityColumns, row: number): void {
    this.#slots[this.#slotOf(set, row, this.#hash(set, row))] = row + 1;
  }

  #enterSome(set: IdentityColumns & { dead: Uint8Array }, from: number, to: number, known: number[]): void {
    while ((this.#count + to - from) * 4 > this.#slots.length) this.#grow();
    const { dead } = set;
    const hashes = this.#hashes;
    for (let row = from; row < to; row++) hashes[row - from] = this.#hash(set, row);
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    const first = this.#first;
    for (let i = 0; i < to - from; i++) first[i] = slots[((hashes[i] as number) & mask) * 2] as number;
    for (let row = from; row < to; row++) {
      if (dead[row] === 1) continue;
      const hash = hashes[row - from] as number;
      let slot = (hash & mask) * 2;
      // A row before this one may have taken the place since.
      if (first[row - from] !== 0 || slots[slot] !== 0) slot = this.#slotOf(set, row, hash);
      if (slots[slot] !== 0) {
        known.push(row);
        continue;
      }
      slots[slot] = row + 1;
      slots[slot + 1] = hash;
      this.#count++;
    }
  }

  #hash({ spanId, start, trace, kind }: IdentityColumns, row: number): number {
    let hash = Math.imul((spanId[row * 2] as number) ^ this.#seed, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (spanId[row * 2 + 1] as number), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (trace[row] as number), 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (start[row * 2] as number), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (start[row * 2 + 1] as number) ^ ((kind[row] as number) << 24), 0x9e3779b1);
    return hash ^ (hash >>> 15);
  }

  /** Where the pair of the identity of `row` begins, or belongs. */
  #slotOf({ spanId, start, trace, kind }: IdentityColumns, row: number, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash & mask;
    for (;;) {
      const other = (slots[slot * 2] as number) - 1;
      if (other < 0) return slot * 2;
      if (
        slots[slot * 2 + 1] === hash &&
        spanId[other * 2] === spanId[row * 2] &&
        spanId[other * 2 + 1] === spanId[row * 2 + 1] &&
        trace[other] === trace[row] &&
        kind[other] === kind[row] &&
        start[other * 2] === start[row * 2] &&
        start[other * 2 + 1] === start[row * 2 + 1]
      ) {
        return slot * 2;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Doubles the table. The identities in it differ, so no row is looked at. */
  #grow(): void {
    const old = this.#slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length / 2 - 1;
    for (let i = 0; i < old.length; i += 2) {
      const row = old[i] as number;
      if (row === 0) continue;
      let slot = (old[i + 1] as number) & mask;
      while (slots[slot * 2] !== 0) slot = (slot + 1) & mask;
      slots[slot * 2] = row;
      slots[slot * 2 + 1] = old[i + 1] as number;
    }
    this.#slots = slots;
  }
}
