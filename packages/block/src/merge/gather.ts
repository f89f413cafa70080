import type { DictionaryView, SparseColumn } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { TableColumnLayout } from '../block-index.ts';
import { type DecodedColumn, decodeChunk, type EntryNumbers } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { pickCodes } from '../parquet/pick-codes.ts';
import { RLE_DICTIONARY } from '../parquet/types.ts';
import { decodeFixed, decodeHalves, integerAt } from '../parquet/whole-chunk.ts';
import type { RowSpace } from '../row-space.ts';
import type { EncoderScratch } from '../table-encoder.ts';
import type { Buffers } from './buffers.ts';
import { EntryJoin } from './entry-join.ts';
import { damageOf, type InputBlock, type LoadedGroup, type MergedTable } from './input-block.ts';

// Hot path: columns of several blocks become columns of one. Benchmark: `merge.bench.ts`.

/** Where rows of a piece go: `length[i]` rows from its row `source[i]` on to rows `target[i]` on. */
export interface Runs {
  count: number;
  source: Int32Array;
  target: Int32Array;
  length: Int32Array;
}

/** Rows `from … to - 1` of a row group of an input. */
export interface Piece {
  input: InputBlock;
  group: LoadedGroup;
  from: number;
  to: number;
  /** Sources count from `from`. */
  runs: Runs;
  /** Where only few rows are taken: which of the row group, ascending, and runs of which the sources are their places. */
  picked?: { rows: Int32Array; runs: Runs } | undefined;
}

/** Rows of several blocks' tables, put together column by column. */
export class TableGather {
  readonly rows: number;
  readonly #table: MergedTable;
  readonly #pieces: readonly Piece[];
  readonly #buffers: Buffers;
  readonly #seed: number;

  constructor(table: MergedTable, pieces: readonly Piece[], rows: number, buffers: Buffers, seed: number) {
    this.#table = table;
    this.#pieces = pieces.filter(({ runs }) => runs.count > 0);
    this.rows = rows;
    this.#buffers = buffers;
    this.#seed = seed;
  }

  /** A code a row, -1 where the column has no value; `required` where every row has one. Good as long as the set. */
  coded(id: string, codes: Int32Array, required = false): DictionaryView {
    return this.#join(id, codes, this.#buffers.join(`${this.#table} ${id}`, this.#seed), required);
  }

  /** As `AttributeSource.lay`. */
  lay(id: string, { rows }: RowSpace, scratch: EncoderScratch, kinds?: Uint8Array) {
    const dictionary = this.#join(id, scratch.codes, this.#buffers.join('laid', this.#seed), false);
    const entries = dictionary.count;
    if (scratch.counts.length < entries) scratch.counts = new Int32Array(entries * 2);
    if (kinds && scratch.linkCounts.length < entries) scratch.linkCounts = new Int32Array(entries * 2);
    const { codes, counts, linkCounts } = scratch;
    counts.fill(0, 0, entries);
    if (kinds) linkCounts.fill(0, 0, entries);
    let total = 0;
    for (let row = 0; row < rows; row++) {
      const code = codes[row] as number;
      if (code < 0) continue;
      total++;
      if (kinds !== undefined && kinds[row] === 1) linkCounts[code] = (linkCounts[code] as number) + 1;
      else counts[code] = (counts[code] as number) + 1;
    }
    return { total, dictionary };
  }

  /** The rows that have a value. Good as long as the set. */
  sparse(id: string): SparseColumn {
    const all = this.#buffers.int32('all rows', this.rows).subarray(0, this.rows);
    const dictionary = this.coded(id, all);
    let count = 0;
    for (let row = 0; row < all.length; row++) if ((all[row] as number) >= 0) count++;
    const rows = new Int32Array(count);
    const codes = new Int32Array(count);
    let next = 0;
    for (let row = 0; next < count; row++) {
      const code = all[row] as number;
      if (code < 0) continue;
      rows[next] = row;
      codes[next++] = code;
    }
    return { count, rows, codes, dictionary };
  }

  /** Values of an INT32 column, 0 where it has none. */
  integers(id: string, values: Int32Array | Uint32Array | Uint8Array, required = true): void {
    values.fill(0, 0, this.rows);
    this.#each(id, required, (decoded, runs) => scatterIntegers(decoded, runs, values));
  }

  /** The same of a column that every row has, with what `value` makes of them by input. */
  mapped(id: string, values: Int32Array, value: (input: InputBlock) => (integer: number) => number): void {
    this.#each(id, true, (decoded, runs, { input }) => scatterIntegers(decoded, runs, values, value(input)));
  }

  /** 64-bit numbers of a column that every row has, as halves. */
  halves(id: string, into: Uint32Array): void {
    this.#pairs(id, into, decodeHalves);
  }

  /** The same of ids of 8 bytes, as two words each. */
  ids(id: string, into: Int32Array): void {
    this.#pairs(id, into, (chunk, words, at, range) => {
      decodeFixed(chunk, 8, new Uint8Array(words.buffer, words.byteOffset, words.byteLength), at, range);
    });
  }

  /** Values of `width` bytes, 0 where there are none. */
  fixed(id: string, width: number): Uint8Array<ArrayBuffer> {
    const values = new Uint8Array(width * this.rows);
    this.#each(id, false, ({ codes, entries: { bytes } }, { source, target, length, count }) => {
      for (let run = 0; run < count; run++) {
        const shift = (target[run] as number) - (source[run] as number);
        const end = (source[run] as number) + (length[run] as number);
        for (let row = source[run] as number; row < end; row++) {
          const code = codes[row] as number;
          if (code < 0) continue;
          for (let k = 0; k < width; k++) values[(row + shift) * width + k] = bytes[code * width + k] as number;
        }
      }
    });
    return values;
  }

  /** Whether a row group that takes part has values of a column. */
  has(id: string): boolean {
    return this.#pieces.some(({ input, group }) => {
      const number = input.column(this.#table, id);
      return number >= 0 && (group.chunks[number] as ChunkLayout).pages.length > 0;
    });
  }

  #pairs(id: string, into: Int32Array | Uint32Array, decode: typeof decodeHalves): void {
    for (const { input, group, from, to, runs } of this.#pieces) {
      const number = input.column(this.#table, id);
      const layout = group.chunks[number] as ChunkLayout;
      const { schema } = group.columns[number] as TableColumnLayout;
      const words = scratchHalves(to - from);
      try {
        decode({ schema, layout, group: group.bytes, cache: group.cache }, words, 0, { from, to });
      } catch (error) {
        throw damageOf(error, input.id, this.#table);
      }
      const { source, target, length, count } = runs;
      for (let run = 0; run < count; run++) {
        let at = 2 * (source[run] as number);
        let place = 2 * (target[run] as number);
        for (const end = at + 2 * (length[run] as number); at < end; at++, place++) into[place] = words[at] as number;
      }
    }
  }

  #join(id: string, into: Int32Array, join: EntryJoin, required: boolean): DictionaryView {
    into.fill(-1, 0, this.rows);
    const use = ({ codes }: DecodedColumn, { source, target, length, count }: Runs): void => {
      for (let run = 0; run < count; run++) {
        let from = source[run] as number;
        let to = target[run] as number;
        for (const end = from + (length[run] as number); from < end; from++, to++) into[to] = codes[from] as number;
      }
    };
    this.#each(id, required, use, join);
    return join.view();
  }

  /** Decodes a column piece by piece. */
  #each(
    id: string,
    required: boolean,
    use: (decoded: DecodedColumn, runs: Runs, piece: Piece) => void,
    numbers?: EntryNumbers,
  ): void {
    for (const piece of this.#pieces) {
      const { input, group, from, to, runs } = piece;
      const number = input.column(this.#table, id);
      const chunk = group.chunks[number];
      try {
        if (required && (chunk === undefined || !isComplete(chunk))) {
          throw dataError('block-row', `rows have no ${id}, which every row has`);
        }
        if (chunk === undefined || chunk.pages.length === 0) continue;
        const { schema } = group.columns[number] as TableColumnLayout;
        if (piece.picked !== undefined && chunk.encoding === RLE_DICTIONARY) {
          const { rows, runs: ofPicked } = piece.picked;
          const loaded = { schema, layout: chunk, group: group.bytes, cache: group.cache };
          use(pickCodes(loaded, rows, scratchCodes(rows.length), numbers), ofPicked, piece);
          continue;
        }
        const codes = scratchCodes(to - from);
        use(decodeChunk(schema, chunk, group.bytes, group.cache, from, to, codes, numbers), runs, piece);
      } catch (error) {
        throw damageOf(error, input.id, this.#table);
      }
    }
  }
}

function isComplete({ pages, rows }: ChunkLayout): boolean {
  let values = 0;
  for (const page of pages) values += page.values;
  return values === rows;
}

function scatterIntegers(
  { codes, entries, entryCount }: DecodedColumn,
  { source, target, length, count }: Runs,
  into: Int32Array | Uint32Array | Uint8Array,
  map?: (value: number) => number,
): void {
  const values = new Int32Array(entryCount).fill(-1);
  const known = new Uint8Array(entryCount);
  for (let run = 0; run < count; run++) {
    const shift = (target[run] as number) - (source[run] as number);
    const end = (source[run] as number) + (length[run] as number);
    for (let row = source[run] as number; row < end; row++) {
      const code = codes[row] as number;
      if (code < 0) continue;
      if (known[code] === 0) {
        const value = integerAt(entries, code);
        values[code] = map === undefined ? value : map(value);
        known[code] = 1;
      }
      into[row + shift] = values[code] as number;
    }
  }
}

let halves = new Uint32Array(1 << 18);

function scratchHalves(rows: number): Uint32Array {
  if (halves.length < 2 * rows) halves = new Uint32Array(4 * rows);
  return halves;
}

let scratch = new Int32Array(1 << 17);

function scratchCodes(rows: number): Int32Array {
  if (scratch.length < rows) scratch = new Int32Array(2 * rows);
  return scratch.subarray(0, rows);
}
