import type { DictionaryView } from '@vivace/columns';
import { ByteReader } from '../byte-reader.ts';
import { type ChunkCache, damaged, decodeChunk, type GroupBytes, valuesBody } from './chunk-reader.ts';
import type { Values } from './chunk-writer.ts';
import { decodeDelta } from './delta.ts';
import type { ChunkLayout, PageLayout } from './directory.ts';
import { type ColumnSchema, DELTA_BINARY_PACKED, INT64, PLAIN } from './types.ts';

// Hot path: whole column chunks become typed arrays, for scans. Every function writes the chunk's rows from row `at`
// of its target on; the common encoding of a column goes there straight from its pages, any other by way of codes.
// Benchmark: `scan/scan.bench.ts`.

/** A chunk of a row group that has been read. */
export interface LoadedChunk {
  schema: ColumnSchema;
  layout: ChunkLayout;
  group: GroupBytes;
  cache: ChunkCache;
}

const scratch = { codes: new Int32Array(1 << 17), halves: new Uint32Array(1 << 15) };

/** Codes of all rows, in memory that the next call uses again. */
function scratchCodes(rows: number): Int32Array {
  if (scratch.codes.length < rows) scratch.codes = new Int32Array(2 * rows);
  return scratch.codes.subarray(0, rows);
}

function scratchHalves(count: number): Uint32Array {
  if (scratch.halves.length < 2 * count) scratch.halves = new Uint32Array(4 * count);
  return scratch.halves;
}

/** A `data` error where a row of a column that every row has lacks a value. */
function checkComplete(schema: ColumnSchema, layout: ChunkLayout): void {
  if (schema.optional) return;
  if (countValues(layout) !== layout.rows) throw damaged(schema);
}

/** Rows that have a value. */
function countValues({ pages }: ChunkLayout): number {
  let values = 0;
  for (const page of pages) values += page.values;
  return values;
}

/** Rows of a chunk that are decoded: `from … to - 1`, by default all. */
export interface ChunkRows {
  from: number;
  to: number;
}

/** Pages of the rows, each with those of its own rows that are among them. */
function* pagesOf({ pages, pageRows, rows }: ChunkLayout, { from, to }: ChunkRows) {
  for (let number = Math.floor(from / pageRows); number * pageRows < to; number++) {
    const first = number * pageRows;
    const skip = Math.max(0, from - first);
    yield { page: pages[number] as PageLayout, skip, count: Math.min(pageRows, rows - first, to - first) - skip };
  }
}

/** 64-bit numbers as halves; null rows are left as they are. */
export function decodeHalves(chunk: LoadedChunk, into: Uint32Array, at: number, range?: ChunkRows): void {
  const { schema, layout, group, cache } = chunk;
  checkComplete(schema, layout);
  if (!schema.optional && schema.type === INT64 && layout.encoding === DELTA_BINARY_PACKED) {
    let row = at;
    for (const { page, skip, count } of pagesOf(layout, range ?? { from: 0, to: layout.rows })) {
      decodeDelta(new ByteReader(valuesBody(group, page, layout.zstd, cache)), skip, count, into, row);
      row += count;
    }
  } else decodeFixed(chunk, 8, new Uint8Array(into.buffer, into.byteOffset, into.byteLength), at, range);
}

/** Values of `width` bytes side by side; null rows are left as they are. */
export function decodeFixed(
  chunk: LoadedChunk,
  width: number,
  into: Uint8Array,
  at: number,
  range: ChunkRows = { from: 0, to: chunk.layout.rows },
): void {
  const { schema, layout, group, cache } = chunk;
  checkComplete(schema, layout);
  if (!schema.optional && layout.encoding === PLAIN) {
    let row = at;
    for (const { page, skip, count } of pagesOf(layout, range)) {
      const body = new ByteReader(valuesBody(group, page, layout.zstd, cache));
      body.skip(skip * width);
      into.set(body.view(count * width), row * width);
      row += count;
    }
    return;
  }
  const { from, to } = range;
  const { codes, entries } = decodeChunk(schema, layout, group, cache, from, to, scratchCodes(to - from));
  const { bytes } = entries;
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row] as number;
    if (code < 0) continue;
    for (let k = 0; k < width; k++) into[(at + row) * width + k] = bytes[code * width + k] as number;
  }
}

/** INT32 values; null rows are left as they are. Where there is a `limit`, values are 0 to below it, or a `data` error. */
export function decodeIntegers(
  chunk: LoadedChunk,
  into: Int32Array,
  at: number,
  { limit = 2 ** 32, range = { from: 0, to: chunk.layout.rows } }: { limit?: number; range?: ChunkRows } = {},
): void {
  const { schema, layout, group, cache } = chunk;
  checkComplete(schema, layout);
  if (!schema.optional && layout.encoding === DELTA_BINARY_PACKED) {
    let row = at;
    for (const { page, skip, count } of pagesOf(layout, range)) {
      const halves = scratchHalves(count);
      decodeDelta(new ByteReader(valuesBody(group, page, layout.zstd, cache)), skip, count, halves, 0);
      for (let i = 0; i < count; i++) {
        const value = halves[2 * i] as number;
        if (value >= limit) throw damaged(schema);
        into[row++] = value;
      }
    }
    return;
  }
  const { from, to } = range;
  const { codes, entries, entryCount } = decodeChunk(schema, layout, group, cache, from, to, scratchCodes(to - from));
  const values = new Int32Array(entryCount);
  for (let code = 0; code < entryCount; code++) {
    const value = integerAt(entries, code);
    if (value >>> 0 >= limit) throw damaged(schema);
    values[code] = value;
  }
  if (!schema.optional)
    for (let row = 0; row < codes.length; row++) into[at + row] = values[codes[row] as number] as number;
  else {
    for (let row = 0; row < codes.length; row++) {
      const code = codes[row] as number;
      if (code >= 0) into[at + row] = values[code] as number;
    }
  }
}

/** A column as codes of a dictionary whose entries may repeat. */
export interface CodedRows {
  /** Ascending rows that have a value; undefined: `codes` has an element for every row, -1 for none. */
  rows: Int32Array | undefined;
  codes: Int32Array;
  /** Elements of `codes`. */
  count: number;
  dictionary: DictionaryView;
}

/** Columns are kept by row until fewer than one row in this many has a value: then rows are named. */
const SPARSE_SHARE = 4;

/** Whether a column of so many values has a code for every row. */
export function isDense(values: number, rows: number): boolean {
  return values * SPARSE_SHARE > rows;
}

export function decodeCoded(chunk: LoadedChunk): CodedRows {
  const { schema, layout } = chunk;
  checkComplete(schema, layout);
  const { rows } = layout;
  if (!schema.optional) {
    const codes = new Int32Array(rows);
    const { entries, entryCount } = decodeInto(chunk, codes);
    return { rows: undefined, codes, count: rows, dictionary: dictionaryOf(entries, entryCount) };
  }
  const { codes: all, entries, entryCount } = decodeScratch(chunk);
  const dictionary = dictionaryOf(entries, entryCount);
  const count = countValues(layout);
  if (isDense(count, rows)) return { rows: undefined, codes: all.slice(), count: rows, dictionary };
  const named = new Int32Array(count);
  const codes = new Int32Array(count);
  let next = 0;
  for (let row = 0; row < rows; row++) {
    const code = all[row] as number;
    if (code < 0) continue;
    named[next] = row;
    codes[next++] = code;
  }
  if (next !== count) throw damaged(schema);
  return { rows: named, codes, count, dictionary };
}

function decodeScratch(chunk: LoadedChunk) {
  return decodeInto(chunk, scratchCodes(chunk.layout.rows));
}

function decodeInto({ schema, layout, group, cache }: LoadedChunk, codes: Int32Array) {
  return decodeChunk(schema, layout, group, cache, 0, layout.rows, codes);
}

/** Positions 0, width, 2 * width …, shared by the dictionaries that need them. */
const ramps = new Map<number, Uint32Array>();

function rampOf(width: number, count: number): Uint32Array {
  let ramp = ramps.get(width);
  if (ramp === undefined || ramp.length <= count) {
    ramp = Uint32Array.from({ length: Math.max(256, 2 * count) }, (_, i) => i * width);
    ramps.set(width, ramp);
  }
  return ramp;
}

/** In memory of its own: the bytes may be part of what was read, or lie in a buffer that has room to grow. */
function dictionaryOf({ bytes, width, offsets }: Values, count: number): DictionaryView {
  const own = bytes.length * 2 > bytes.buffer.byteLength ? bytes : bytes.slice();
  return { count, bytes: own, offsets: offsets ?? rampOf(width, count) };
}

/** Entry `code` of an INT32 column. */
export function integerAt({ bytes }: Values, code: number): number {
  const at = 4 * code;
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}
