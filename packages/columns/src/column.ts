import { type Arena, isNearlyFull } from './arena.ts';
import { Dictionary } from './dictionary.ts';

import type { SparseColumn } from './view.ts';

const INITIAL_VALUES = 4;

/** A sparse column being filled: rows come in ascending order, at most one value each. */
export class Column {
  count = 0;
  #rows: Int32Array;
  #codes: Int32Array;
  readonly dictionary: Dictionary;
  readonly #arena: Arena;

  constructor(seed: number, arena: Arena) {
    this.#arena = arena;
    this.#rows = arena.int32(INITIAL_VALUES);
    this.#codes = arena.int32(INITIAL_VALUES);
    this.dictionary = new Dictionary(seed, arena);
  }

  /** Bytes that the next few values will make it grow by. */
  get growthSoon(): number {
    return isNearlyFull(this.count, this.#rows.length) ? this.#rows.length * 8 : 0;
  }

  push(row: number, code: number): void {
    const at = this.count;
    if (at === this.#rows.length) {
      this.#rows = this.#arena.grownInt32(this.#rows, at * 2);
      this.#codes = this.#arena.grownInt32(this.#codes, at * 2);
    }
    this.#rows[at] = row;
    this.#codes[at] = code;
    this.count = at + 1;
  }

  view(): SparseColumn {
    return { count: this.count, rows: this.#rows, codes: this.#codes, dictionary: this.dictionary.view() };
  }
}
