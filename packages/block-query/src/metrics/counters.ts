import type { Budget } from './budget.ts';

/** A growing list of rows of counters, one counter an interval. */
export class Counters {
  /** Counter of row r and interval i: r * intervals + i. Another array after each `add`. */
  counts: Uint32Array;
  rows = 0;
  readonly #intervals: number;
  readonly #budget: Budget;

  constructor(intervals: number, budget: Budget) {
    this.#intervals = intervals;
    this.#budget = budget;
    this.counts = new Uint32Array(0);
  }

  /** The number of a new row, all zero. */
  add(): number {
    const row = this.rows++;
    const length = this.rows * this.#intervals;
    if (length > this.counts.length) {
      const larger = Math.max(length, 2 * this.counts.length, 1024);
      this.#budget.take(4 * (larger - this.counts.length));
      const counts = new Uint32Array(larger);
      counts.set(this.counts);
      this.counts = counts;
    }
    return row;
  }
}
