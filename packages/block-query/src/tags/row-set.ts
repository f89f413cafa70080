import type { CodedColumn } from '../batch.ts';
import { everyRow, maskOf, type RowList } from '../row-list.ts';

// Hot path: what a column has in chosen rows. Benchmark: `tags/tags.bench.ts`.

/** Some rows of a batch, or of its events. */
export class RowSet {
  /** Of the batch. */
  readonly #rows: number;
  #list: RowList | (() => RowList);
  #flags: Uint8Array | undefined;
  #every: Int32Array | undefined;

  /** @param list Or what gives it, asked once, when somebody needs it. */
  constructor(list: RowList | (() => RowList), rows: number) {
    this.#list = list;
    this.#rows = rows;
  }

  static ofFlags(flags: Uint8Array): RowSet {
    return new RowSet(rowsIn(flags), flags.length);
  }

  get isEmpty(): boolean {
    const list = this.#given();
    return list === undefined ? this.#rows === 0 : list.length === 0;
  }

  /** Ascending. */
  list(): Int32Array {
    return this.#given() ?? (this.#every ??= everyRow(this.#rows));
  }

  /** One byte a row of the batch. */
  flags(): Uint8Array {
    return (this.#flags ??= maskOf(this.#given(), this.#rows));
  }

  /** Whether any of the rows has a value. */
  meets({ rows, codes, count }: CodedColumn): boolean {
    if (rows === undefined) {
      const list = this.#given();
      const length = list?.length ?? Math.min(count, this.#rows);
      for (let i = 0; i < length; i++) {
        const row = list === undefined ? i : (list[i] as number);
        if (row < count && (codes[row] as number) >= 0) return true;
      }
      return false;
    }
    const flags = this.flags();
    for (let i = 0; i < count; i++) if (flags[rows[i] as number] === 1) return true;
    return false;
  }

  /** Code → 1 where one of the rows has it. */
  usedCodes({ rows, codes, count, dictionary }: CodedColumn): Uint8Array {
    if (rows === undefined) return this.usedNumbers(codes, dictionary.count, count);
    const used = new Uint8Array(dictionary.count);
    const flags = this.flags();
    for (let i = 0; i < count; i++) {
      if (flags[rows[i] as number] === 1) used[codes[i] as number] = 1;
    }
    return used;
  }

  /** The same of numbers below `limit` that every row has; those below 0 are none. Stops when all are there. */
  usedNumbers(numbers: Int32Array, limit: number, count = this.#rows): Uint8Array {
    const used = new Uint8Array(limit);
    const list = this.#given();
    let missing = limit;
    if (list === undefined) {
      for (let row = 0; row < count; row++) {
        const number = numbers[row] as number;
        if (number < 0 || used[number] !== 0) continue;
        used[number] = 1;
        if (--missing === 0) break;
      }
      return used;
    }
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as number;
      const number = row < count ? (numbers[row] as number) : -1;
      if (number < 0 || used[number] !== 0) continue;
      used[number] = 1;
      if (--missing === 0) break;
    }
    return used;
  }

  /** One byte a row of the batch: 1 where it has a value; with `hits`, one whose code has a 1 there. */
  having({ rows, codes, count }: CodedColumn, hits?: Uint8Array): Uint8Array {
    const found = new Uint8Array(this.#rows);
    for (let i = 0; i < count; i++) {
      const code = codes[i] as number;
      if (code >= 0 && (hits === undefined || hits[code] === 1))
        found[rows === undefined ? i : (rows[i] as number)] = 1;
    }
    return found;
  }

  /** Whether each of the rows has a value. */
  isCovered(column: CodedColumn): boolean {
    const having = this.having(column);
    const list = this.list();
    for (let i = 0; i < list.length; i++) if (having[list[i] as number] === 0) return false;
    return true;
  }

  /** The rows that have no 1 in `taken`. */
  without(taken: Uint8Array): RowSet {
    const list = this.list();
    const left = new Int32Array(list.length);
    let count = 0;
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as number;
      left[count] = row;
      count += 1 - (taken[row] as number);
    }
    return new RowSet(left.slice(0, count), this.#rows);
  }

  /** The rows whose number has no 1 in `hits`. */
  withoutNumbers(numbers: Int32Array, hits: Uint8Array): RowSet {
    const list = this.list();
    const left = new Int32Array(list.length);
    let count = 0;
    for (let i = 0; i < list.length; i++) {
      const row = list[i] as number;
      left[count] = row;
      count += 1 - (hits[numbers[row] as number] as number);
    }
    return new RowSet(left.slice(0, count), this.#rows);
  }

  #given(): RowList {
    return typeof this.#list === 'function' ? (this.#list = this.#list()) : this.#list;
  }
}

function rowsIn(flags: Uint8Array): Int32Array {
  let count = 0;
  for (let row = 0; row < flags.length; row++) count += flags[row] as number;
  const rows = new Int32Array(count);
  let next = 0;
  for (let row = 0; row < flags.length && next < count; row++) if (flags[row] === 1) rows[next++] = row;
  return rows;
}
