import type { Budget } from './budget.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/** Numbers by cell: a group and an interval. See numbers.ts for `high` and `low`. */
export interface NumberCells {
  /** Makes room for cells below `length`. */
  grow(length: number): void;
  add(cell: number, isFloat: boolean, high: number, low: number): void;
  /** Called after at most a batch of numbers. */
  settle(): void;
  /** `unit`: numbers are that many times what the sample says. Undefined: no number. */
  valueAt(cell: number, unit: number): number | undefined;
}

const TWO_32 = 4294967296;

export class ExtremeCells implements NumberCells {
  readonly #largest: boolean;
  readonly #budget: Budget;
  /** NaN: none. */
  #values = new Float64Array(0);

  constructor(largest: boolean, budget: Budget) {
    this.#largest = largest;
    this.#budget = budget;
  }

  grow(length: number): void {
    const { length: before } = this.#values;
    if (length <= before) return;
    this.#values = grown(this.#values, length, this.#budget);
    this.#values.fill(Number.NaN, before);
  }

  add(cell: number, isFloat: boolean, high: number, low: number): void {
    const value = isFloat ? high : high * TWO_32 + low;
    const known = this.#values[cell] as number;
    // False of NaN, which is none.
    if (this.#largest ? known >= value : known <= value) return;
    this.#values[cell] = value;
  }

  settle(): void {}

  valueAt(cell: number, unit: number): number | undefined {
    const value = this.#values[cell] as number;
    return Number.isNaN(value) ? undefined : value / unit;
  }
}

/**
 * Sums of integers are exact: their halves are added on their own, and what the low ones carry goes to the high ones
 * after each batch. Each half then stays below 2^53 for four million numbers as large as they come.
 */
export class SumCells implements NumberCells {
  readonly #average: boolean;
  readonly #budget: Budget;
  #counts = new Uint32Array(0);
  #high = new Float64Array(0);
  #low = new Float64Array(0);
  #floats: Float64Array<ArrayBuffer> | undefined;

  constructor(average: boolean, budget: Budget) {
    this.#average = average;
    this.#budget = budget;
  }

  grow(length: number): void {
    if (length <= this.#high.length) return;
    this.#high = grown(this.#high, length, this.#budget);
    this.#low = grown(this.#low, length, this.#budget);
    if (this.#floats !== undefined) this.#floats = grown(this.#floats, length, this.#budget);
    const counts = new Uint32Array(this.#high.length);
    counts.set(this.#counts);
    this.#budget.take(4 * (counts.length - this.#counts.length));
    this.#counts = counts;
  }

  add(cell: number, isFloat: boolean, high: number, low: number): void {
    this.#counts[cell] = (this.#counts[cell] as number) + 1;
    if (isFloat) {
      this.#floats ??= grown(new Float64Array(0), this.#high.length, this.#budget);
      this.#floats[cell] = (this.#floats[cell] as number) + high;
      return;
    }
    this.#high[cell] = (this.#high[cell] as number) + high;
    this.#low[cell] = (this.#low[cell] as number) + low;
  }

  settle(): void {
    const low = this.#low;
    for (let cell = 0; cell < low.length; cell++) {
      const sum = low[cell] as number;
      if (sum < TWO_32) continue;
      const carry = Math.floor(sum / TWO_32);
      low[cell] = sum - carry * TWO_32;
      this.#high[cell] = (this.#high[cell] as number) + carry;
    }
  }

  valueAt(cell: number, unit: number): number | undefined {
    const count = this.#counts[cell] as number;
    if (count === 0) return undefined;
    const integers = (this.#high[cell] as number) * TWO_32 + (this.#low[cell] as number);
    const sum = this.#floats === undefined ? integers / unit : integers / unit + (this.#floats[cell] as number);
    return this.#average ? sum / count : sum;
  }
}

function grown(values: Float64Array<ArrayBuffer>, length: number, budget: Budget): Float64Array<ArrayBuffer> {
  const larger = Math.max(length, 2 * values.length);
  budget.take(8 * (larger - values.length));
  const result = new Float64Array(larger);
  result.set(values);
  return result;
}
