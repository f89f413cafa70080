import type { AttributeColumn, SparseColumn } from '@vivace/columns';
import { utf8Encode } from '@vivace/kernel';
import { ByteWriter } from './byte-writer.ts';
import { FIXED64, FieldWalker } from './fields.ts';
import { writeKeyValue } from './key-value.ts';
import type { Values } from './parquet/chunk-writer.ts';
import type { RowSpace } from './row-space.ts';
import { type EncoderScratch, scatter } from './table-encoder.ts';

/** Span.end_time_unix_nano. */
const END_FIELD = 8;
const END_TAG = (END_FIELD << 3) | FIXED64;

/** Ends that a duration cannot express: table rows, ascending, and where to read their times. */
export interface ExactEnds {
  rows: Int32Array;
  /** Halves by row of the column set. */
  end: Uint32Array;
  order: Int32Array;
}

/**
 * The overflow column of a table: attributes without a column, then fragments that the column set has, then exact
 * ends. Of equal keys those in columns came first. Leaves the codes in `scratch.codes` (-1: none) and returns the
 * entries they stand for.
 *
 * @param tagOf Tag of the attribute field of a row of the column set.
 */
export function mergeOverflow(
  base: SparseColumn,
  demoted: readonly AttributeColumn[],
  ends: ExactEnds | undefined,
  space: RowSpace,
  scratch: EncoderScratch,
  tagOf: (row: number) => number,
): { entries: Values; count: number } {
  scatter(base, space, scratch);
  const { bytes, offsets, count } = base.dictionary;
  const endCount = ends?.rows.length ?? 0;
  if (demoted.length === 0 && endCount === 0) return { entries: { bytes, width: 0, offsets }, count };
  const { rows, position } = space;
  const { codes } = scratch;
  const first = new Int32Array(rows + 1);
  for (const column of demoted) {
    for (let i = 0; i < column.count; i++) {
      const at = position[column.rows[i] as number] as number;
      if (at >= 0) first[at + 1] = (first[at + 1] as number) + 1;
    }
  }
  for (let row = 0; row < rows; row++) first[row + 1] = (first[row + 1] as number) + (first[row] as number);
  const items = first[rows] as number;
  // Row by row: column number and position in that column. `next` is where the row's next item goes.
  const itemColumn = new Int32Array(items);
  const itemAt = new Int32Array(items);
  const next = first.slice(0, rows);
  for (const [number, column] of demoted.entries()) {
    for (let i = 0; i < column.count; i++) {
      const at = position[column.rows[i] as number] as number;
      if (at < 0) continue;
      const item = next[at] as number;
      next[at] = item + 1;
      itemColumn[item] = number;
      itemAt[item] = i;
    }
  }
  const keys = demoted.map(({ key }) => utf8Encode(key));
  const out = new ByteWriter(1 << 16);
  const places: number[] = [0];
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const code = codes[row] as number;
    const firstItem = first[row] as number;
    const lastItem = first[row + 1] as number;
    const exactEnd = ends !== undefined && end < endCount && ends.rows[end] === row;
    if (code < 0 && firstItem === lastItem && !exactEnd) continue;
    for (let item = firstItem; item < lastItem; item++) {
      const number = itemColumn[item] as number;
      const { rows: columnRows, codes: columnCodes, type, dictionary } = demoted[number] as AttributeColumn;
      const i = itemAt[item] as number;
      const entry = columnCodes[i] as number;
      const { bytes: source, offsets: places } = dictionary;
      const from = places[entry] as number;
      const to = places[entry + 1] as number;
      writeKeyValue(out, tagOf(columnRows[i] as number), keys[number] as Uint8Array, type, source, from, to);
    }
    if (code >= 0) out.bytes(bytes.subarray(offsets[code], offsets[code + 1]));
    if (exactEnd) {
      const source = ends.order[row] as number;
      out.u8(END_TAG);
      out.u32(ends.end[2 * source] as number);
      out.u32(ends.end[2 * source + 1] as number);
      end++;
    }
    codes[row] = places.length - 1;
    places.push(out.length);
  }
  return { entries: { bytes: out.view(), width: 0, offsets: Uint32Array.from(places) }, count: places.length - 1 };
}

/**
 * Takes the exact end out of a fragment that was stored with a duration of 0: the halves of the end, and the
 * fragment without the field; `undefined` where it holds none.
 */
export function takeExactEnd(fragment: Uint8Array): { low: number; high: number; rest: Uint8Array } | undefined {
  const walker = new FieldWalker(fragment);
  const rest = new ByteWriter(fragment.length);
  let found = false;
  let low = 0;
  let high = 0;
  while (walker.next()) {
    if (walker.field === END_FIELD && walker.wire === FIXED64) {
      const view = new DataView(fragment.buffer, fragment.byteOffset + walker.from, 8);
      low = view.getUint32(0, true);
      high = view.getUint32(4, true);
      found = true;
    } else rest.bytes(fragment.subarray(walker.start, walker.to));
  }
  return found ? { low, high, rest: rest.take() } : undefined;
}
