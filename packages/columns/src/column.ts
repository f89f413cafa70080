import { Dictionary } from './dictionary.ts';
import { grownInt32, INITIAL_ROWS, sharedInt32 } from './shared-array.ts';
import type { SparseColumn } from './view.ts';

/** A sparse column being filled: rows come in ascending order, at most one value each. */
export class Column {
  count = 0;
  #rows = sharedInt32(INITIAL_ROWS);
  #codes = sharedInt32(INITIAL_ROWS);
  readonly dictionary: Dictionary;

  constructor(seed: number) {
    this.dictionary = new Dictionary(seed);
  }

  get size(): number {
    return this.#rows.length * 8 + this.dictionary.size;
  }

  push(row: number, code: number): void {
    const at = this.count;
    if (at === this.#rows.length) {
      this.#rows = grownInt32(this.#rows, at * 2);
      this.#codes = grownInt32(this.#codes, at * 2);
    }
    this.#rows[at] = row;
    this.#codes[at] = code;
    this.count = at + 1;
  }

  view(): SparseColumn {
    return { count: this.count, rows: this.#rows, codes: this.#codes, dictionary: this.dictionary.view() };
  }
}
