import type { DictionaryView, SparseColumn } from '@vivace/columns';
import { ChunkWriter, type Values } from './parquet/chunk-writer.ts';
import type { TableWriter } from './parquet/table-writer.ts';
import { type ColumnSchema, type StoredChunk, valueBytes } from './parquet/types.ts';
import type { RowSpace } from './row-space.ts';

// Hot path: `scatter` and the loops that its callers write into `codes`.
// Benchmark: `encode-block.bench.ts`.

/** Space that the tables of a block share, one table after another. */
export interface EncoderScratch {
  writer: ChunkWriter;
  /** A code a row of the table being written. */
  codes: Int32Array;
  /** Uses of each dictionary code, and of links apart where a table has both. */
  counts: Int32Array;
  linkCounts: Int32Array;
}

export function createScratch(rows: number): EncoderScratch {
  return {
    writer: new ChunkWriter(),
    codes: new Int32Array(rows),
    counts: new Int32Array(1024),
    linkCounts: new Int32Array(0),
  };
}

/** Encodes row groups of one table column by column, each over all of them. */
export class TableEncoder {
  readonly space: RowSpace;
  readonly scratch: EncoderScratch;
  readonly pageRows: number;
  readonly #schemas: ColumnSchema[] = [];
  /** By column, then by row group. */
  readonly #chunks: (StoredChunk | undefined)[][] = [];

  constructor(space: RowSpace, scratch: EncoderScratch, pageRows: number) {
    this.space = space;
    this.scratch = scratch;
    this.pageRows = pageRows;
  }

  /** A column by whatever makes its chunk of rows `from … to - 1`. */
  column(schema: ColumnSchema, encode: (from: number, to: number) => StoredChunk): void {
    const { groups } = this.space;
    const chunks: (StoredChunk | undefined)[] = [];
    for (let group = 0; group + 1 < groups.length; group++) {
      const from = groups[group] as number;
      const to = groups[group + 1] as number;
      chunks.push(to > from ? encode(from, to) : undefined);
    }
    this.#schemas.push(schema);
    this.#chunks.push(chunks);
  }

  /** The column whose codes the caller has written to `scratch.codes`, which are used up. */
  codes(schema: ColumnSchema, entries: Values, entryCount: number, sorted = false): void {
    const { writer, codes } = this.scratch;
    const options = { pageRows: this.pageRows, sorted };
    this.column(schema, (from, to) => writer.codes(schema, codes, from, to, entries, entryCount, options));
  }

  /** A column without any value. */
  nothing(schema: ColumnSchema): void {
    this.#schemas.push(schema);
    this.#chunks.push([]);
  }

  /** A sparse column of the column set; nothing but nulls where it has no row in the table. */
  sparse(schema: ColumnSchema, column: SparseColumn): void {
    if (scatter(column, this.space, this.scratch) === 0) this.nothing(schema);
    else this.codes(schema, valuesOf(column.dictionary, schema), column.dictionary.count);
  }

  /** Appends the row groups to their table. */
  write(table: TableWriter): void {
    const { groups } = this.space;
    for (let group = 0; group + 1 < groups.length; group++) {
      const rows = (groups[group + 1] as number) - (groups[group] as number);
      table.group(
        this.#schemas,
        rows,
        this.#chunks.map((chunks) => chunks[group]),
      );
    }
  }
}

/** Dictionary entries as the values of a column: of one width where the type has one. */
export function valuesOf(dictionary: DictionaryView, schema: ColumnSchema): Values {
  const width = valueBytes(schema);
  return width > 0
    ? { bytes: dictionary.bytes, width, offsets: undefined }
    : { bytes: dictionary.bytes, width: 0, offsets: dictionary.offsets };
}

/** Integers as the values of an INT32 column. */
export function intValues(integers: Int32Array): Values {
  return {
    bytes: new Uint8Array(integers.buffer, integers.byteOffset, integers.byteLength),
    width: 4,
    offsets: undefined,
  };
}

/**
 * Writes a sparse column's codes to `scratch.codes` by table row, -1 where it has none, and counts the uses of
 * each code in `scratch.counts`. With `kinds` (by row of the column set), rows of kind 1 are counted in
 * `scratch.linkCounts` instead. Returns how many rows of the table have a value.
 */
export function scatter(column: SparseColumn, space: RowSpace, scratch: EncoderScratch, kinds?: Uint8Array): number {
  const entries = column.dictionary.count;
  if (scratch.counts.length < entries) scratch.counts = new Int32Array(entries * 2);
  if (kinds && scratch.linkCounts.length < entries) scratch.linkCounts = new Int32Array(entries * 2);
  const { codes, counts, linkCounts } = scratch;
  codes.fill(-1, 0, space.rows);
  counts.fill(0, 0, entries);
  if (kinds) linkCounts.fill(0, 0, entries);
  const { position } = space;
  const { rows, codes: source, count } = column;
  let live = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i] as number;
    const at = position[row] as number;
    if (at < 0) continue;
    const code = source[i] as number;
    codes[at] = code;
    if (kinds !== undefined && kinds[row] === 1) linkCounts[code] = (linkCounts[code] as number) + 1;
    else counts[code] = (counts[code] as number) + 1;
    live++;
  }
  return live;
}
