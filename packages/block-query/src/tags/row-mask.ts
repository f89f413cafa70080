import type { CodedColumn } from '../batch.ts';

// Hot path: what a column has in chosen rows. Benchmark: `tags/tags.bench.ts`.

/** Rows of a batch, or of its events. */
export class RowMask {
  /** One byte a row. */
  readonly flags: Uint8Array;
  #numbers: Int32Array | undefined;

  constructor(flags: Uint8Array) {
    this.flags = flags;
  }

  isEmpty(): boolean {
    return !this.flags.includes(1);
  }

  /** The rows, ascending. */
  numbers(): Int32Array {
    if (this.#numbers !== undefined) return this.#numbers;
    const { flags } = this;
    let count = 0;
    for (let row = 0; row < flags.length; row++) count += flags[row] as number;
    const numbers = new Int32Array(count);
    let next = 0;
    for (let row = flags.indexOf(1); row >= 0; row = flags[row + 1] === 1 ? row + 1 : flags.indexOf(1, row + 1)) {
      numbers[next++] = row;
    }
    this.#numbers = numbers;
    return numbers;
  }

  /** Whether any of the rows has a value. */
  meets({ rows, codes, count }: CodedColumn): boolean {
    const { flags } = this;
    if (rows === undefined) {
      const numbers = this.numbers();
      for (let i = 0; i < numbers.length; i++) {
        const row = numbers[i] as number;
        if (row < count && (codes[row] as number) >= 0) return true;
      }
      return false;
    }
    for (let i = 0; i < count; i++) if (flags[rows[i] as number] === 1 && (codes[i] as number) >= 0) return true;
    return false;
  }

  /** Code → 1 where one of the rows has it. */
  usedCodes({ rows, codes, count, dictionary }: CodedColumn): Uint8Array {
    if (rows === undefined) return this.usedNumbers(codes, dictionary.count, count);
    const { flags } = this;
    const used = new Uint8Array(dictionary.count);
    for (let i = 0; i < count; i++) {
      const code = codes[i] as number;
      if (flags[rows[i] as number] === 1 && code >= 0) used[code] = 1;
    }
    return used;
  }

  /** The same of numbers that every row has; those below 0 are none. */
  usedNumbers(numbers: Int32Array, limit: number, count = this.flags.length): Uint8Array {
    const { flags } = this;
    const used = new Uint8Array(limit);
    const end = Math.min(count, flags.length);
    for (let row = 0; row < end; row++) {
      const number = numbers[row] as number;
      if (flags[row] === 1 && number >= 0) used[number] = 1;
    }
    return used;
  }

  /** Rows without those that have a value; of `hits` is given, one whose code is a hit. */
  without({ rows, codes, count }: CodedColumn, hits?: Uint8Array): RowMask {
    const flags = this.flags.slice();
    for (let i = 0; i < count; i++) {
      const code = codes[i] as number;
      if (code >= 0 && (hits === undefined || hits[code] === 1))
        flags[rows === undefined ? i : (rows[i] as number)] = 0;
    }
    return new RowMask(flags);
  }

  /** Rows whose number is no hit. */
  withoutNumbers(numbers: Int32Array, hits: Uint8Array): RowMask {
    const flags = this.flags.slice();
    for (let row = 0; row < flags.length; row++) if (hits[numbers[row] as number] === 1) flags[row] = 0;
    return new RowMask(flags);
  }
}
