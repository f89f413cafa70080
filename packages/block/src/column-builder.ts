import type { DictionaryView, SparseColumn } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import { ByteInterner } from './byte-interner.ts';
import type { DecodedColumn } from './parquet/chunk-reader.ts';

/**
 * Joins decoded parts of a column into one with its own dictionary, which holds only entries that are used. One builder
 * makes column after column, and what it gives is in memory of its own: a lookup reads some 70 columns of a few rows, and
 * buffers that grow for each were a sixth of what it took.
 */
export class ColumnBuilder {
  readonly #interner: ByteInterner;
  #rows = new Int32Array(16);
  #codes = new Int32Array(16);
  #count = 0;

  constructor(seed: number) {
    this.#interner = new ByteInterner(seed);
  }

  /** Begins another column. */
  reset(): void {
    this.#count = 0;
    this.#interner.reset();
  }

  /** Appends a part whose first row is row `base`. */
  append({ codes, entries, entryCount, dictionary }: DecodedColumn, base: number): void {
    // Entry → code, where entries repeat; small parts of large dictionaries get a Map.
    const sparse = dictionary && entryCount > codes.length * 4;
    const known = dictionary && !sparse ? new Int32Array(entryCount).fill(-1) : undefined;
    const knownFew = sparse ? new Map<number, number>() : undefined;
    const { bytes, offsets, width } = entries;
    for (let i = 0; i < codes.length; i++) {
      const entry = codes[i] as number;
      if (entry < 0) continue;
      let code = known !== undefined ? (known[entry] as number) : (knownFew?.get(entry) ?? -1);
      if (code < 0) {
        const from = offsets === undefined ? entry * width : (offsets[entry] as number);
        const to = offsets === undefined ? from + width : (offsets[entry + 1] as number);
        code = this.#interner.code(bytes, from, to);
        if (known !== undefined) known[entry] = code;
        else knownFew?.set(entry, code);
      }
      this.#push(base + i, code);
    }
  }

  get count(): number {
    return this.#count;
  }

  sparse(): SparseColumn {
    const count = this.#count;
    const rows = this.#rows.slice(0, count);
    return { count, rows, codes: this.#codes.slice(0, count), dictionary: this.#interner.take() };
  }

  /** A code a row, -1 where the column has none; a `data` error for such a row of a column that is `required`. */
  dense(rows: number, required = false): { codes: Int32Array; dictionary: DictionaryView } {
    if (required && this.#count !== rows) throw dataError('block-row', 'rows of a block lack what every row has');
    const codes = new Int32Array(rows).fill(-1);
    for (let i = 0; i < this.#count; i++) codes[this.#rows[i] as number] = this.#codes[i] as number;
    return { codes, dictionary: this.#interner.take() };
  }

  #push(row: number, code: number): void {
    if (this.#count === this.#rows.length) {
      const rows = new Int32Array(this.#count * 2);
      rows.set(this.#rows);
      this.#rows = rows;
      const codes = new Int32Array(this.#count * 2);
      codes.set(this.#codes);
      this.#codes = codes;
    }
    this.#rows[this.#count] = row;
    this.#codes[this.#count++] = code;
  }
}
