import type { DictionaryView, SparseColumn } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { TableColumnLayout } from '../block-index.ts';
import { ByteInterner } from '../byte-interner.ts';
import { type DecodedColumn, decodeChunk } from '../parquet/chunk-reader.ts';
import type { ChunkLayout } from '../parquet/directory.ts';
import { integerAt } from '../parquet/whole-chunk.ts';
import { damageOf, type InputBlock, type LoadedGroup, type MergedTable, NO_CACHE } from './input-block.ts';

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
}

/** Rows of several blocks' tables, put together column by column. */
export class TableGather {
  readonly rows: number;
  readonly #table: MergedTable;
  readonly #pieces: readonly Piece[];
  readonly #seed: number;

  constructor(table: MergedTable, pieces: readonly Piece[], rows: number, seed: number) {
    this.#table = table;
    this.#pieces = pieces.filter(({ runs }) => runs.count > 0);
    this.rows = rows;
    this.#seed = seed;
  }

  /** A code a row, -1 where the column has no value; `required` where every row has one. */
  coded(id: string, required = false): { codes: Int32Array; count: number; dictionary: DictionaryView } {
    const codes = new Int32Array(this.rows).fill(-1);
    const interner = new ByteInterner(this.#seed);
    let count = 0;
    this.#each(id, required, (decoded, { source, target, length, count: runs }) => {
      const { codes: local, entries, entryCount } = decoded;
      const { bytes, offsets, width } = entries;
      const joint = new Int32Array(entryCount).fill(-1);
      for (let run = 0; run < runs; run++) {
        let from = source[run] as number;
        let to = target[run] as number;
        for (const end = from + (length[run] as number); from < end; from++, to++) {
          const entry = local[from] as number;
          if (entry < 0) continue;
          let code = joint[entry] as number;
          if (code < 0) {
            const start = offsets === undefined ? entry * width : (offsets[entry] as number);
            code = interner.code(bytes, start, offsets === undefined ? start + width : (offsets[entry + 1] as number));
            joint[entry] = code;
          }
          codes[to] = code;
          count++;
        }
      }
    });
    return { codes, count, dictionary: interner.view() };
  }

  sparse(id: string): SparseColumn {
    const { codes: all, count, dictionary } = this.coded(id);
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

  /** Values of an INT32 column, `absent` where it has none. */
  integers(id: string, { absent = 0, required = false } = {}): Int32Array {
    const values = new Int32Array(this.rows).fill(absent);
    this.#each(id, required, (decoded, runs) => scatterIntegers(decoded, runs, values));
    return values;
  }

  /** The same, with what `value` makes of them by input. */
  mapped(id: string, value: (input: InputBlock) => (integer: number) => number): Int32Array {
    const values = new Int32Array(this.rows);
    this.#each(id, true, (decoded, runs, { input }) => scatterIntegers(decoded, runs, values, value(input)));
    return values;
  }

  /** Values of `width` bytes, 0 where there are none. */
  fixed(id: string, width: number, required = false): Uint8Array<ArrayBuffer> {
    const values = new Uint8Array(width * this.rows);
    this.#each(id, required, ({ codes, entries: { bytes } }, { source, target, length, count }) => {
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

  /** Decodes a column piece by piece. */
  #each(id: string, required: boolean, use: (decoded: DecodedColumn, runs: Runs, piece: Piece) => void): void {
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
        use(decodeChunk(schema, chunk, group.bytes, NO_CACHE, from, to, scratchCodes(to - from)), runs, piece);
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
  into: Int32Array,
  map?: (value: number) => number,
): void {
  const values = new Int32Array(entryCount);
  for (let code = 0; code < entryCount; code++) {
    const value = integerAt(entries, code);
    values[code] = map === undefined ? value : map(value);
  }
  for (let run = 0; run < count; run++) {
    const shift = (target[run] as number) - (source[run] as number);
    const end = (source[run] as number) + (length[run] as number);
    for (let row = source[run] as number; row < end; row++) {
      const code = codes[row] as number;
      if (code >= 0) into[row + shift] = values[code] as number;
    }
  }
}

let scratch = new Int32Array(1 << 17);

function scratchCodes(rows: number): Int32Array {
  if (scratch.length < rows) scratch = new Int32Array(2 * rows);
  return scratch.subarray(0, rows);
}
