import { dataError } from '@vivace/kernel';
import { takeExactEnd } from './overflow.ts';
import { NO_PARENT } from './parent-links.ts';
import type { CodedRows } from './parquet/whole-chunk.ts';

// What is stored relative to another row or column becomes absolute. 64-bit numbers are halves: low at 2i, high at
// 2i + 1. Hot path: every row of a scan. Benchmark: `scan/scan.bench.ts`.

/** Turns durations into ends. */
export function endsOf(start: Uint32Array, duration: Uint32Array, rows: number, end: Uint32Array): void {
  for (let at = 0; at < 2 * rows; at += 2) {
    const startLow = start[at] as number;
    const low = (startLow + (duration[at] as number)) >>> 0;
    end[at] = low;
    end[at + 1] = ((start[at + 1] as number) + (duration[at + 1] as number) + (low < startLow ? 1 : 0)) | 0;
  }
}

/** Turns offsets of events, at `time`, into times; of links into 0. */
export function eventTimes(time: Uint32Array, kind: Uint8Array, span: Int32Array, start: Uint32Array, rows: number) {
  for (let row = 0; row < rows; row++) {
    if (kind[row] === 1) {
      time[2 * row] = 0;
      time[2 * row + 1] = 0;
      continue;
    }
    const from = 2 * (span[row] as number);
    const low = ((time[2 * row] as number) + (start[from] as number)) >>> 0;
    const carry = low < (start[from] as number) ? 1 : 0;
    time[2 * row + 1] = (time[2 * row + 1] as number) + (start[from + 1] as number) + carry;
    time[2 * row] = low;
  }
}

/**
 * Completes ids of parents, which are there where no row is the parent, from deltas (NO_PARENT: none). Ids are two
 * words a row. A delta that leaves the rows is a `data` error.
 */
export function completeParents(parentId: Int32Array, delta: Int32Array, spanId: Int32Array, rows: number): void {
  for (let row = 0; row < rows; row++) {
    if (delta[row] === NO_PARENT) continue;
    const parent = row + (delta[row] as number);
    if (parent < 0 || parent >= rows) throw dataError('block-row', 'the parent of a span lies outside of its trace');
    parentId[2 * row] = spanId[2 * parent] as number;
    parentId[2 * row + 1] = spanId[2 * parent + 1] as number;
  }
}

/** An exact end, taken out of element `at` of an overflow column. */
export interface ExactEnd {
  at: number;
  row: number;
  low: number;
  high: number;
  /** What else the fragment holds. */
  rest: Uint8Array;
}

/**
 * The exact ends in overflow fragments, where spans that end before they start keep them: only of rows that are
 * stored with a duration of 0.
 */
export function exactEnds({ count, rows, codes, dictionary }: CodedRows, duration: Uint32Array): ExactEnd[] {
  const { bytes, offsets } = dictionary;
  const found: ExactEnd[] = [];
  // Entries without an end, which many rows may share.
  const without = new Uint8Array(dictionary.count);
  for (let at = 0; at < count; at++) {
    const row = rows === undefined ? at : (rows[at] as number);
    const code = codes[at] as number;
    if (code < 0) continue;
    if (duration[2 * row] !== 0 || duration[2 * row + 1] !== 0 || without[code] === 1) continue;
    const exact = takeExactEnd(bytes.subarray(offsets[code], offsets[code + 1]));
    if (exact === undefined) without[code] = 1;
    else found.push({ at, row, ...exact });
  }
  return found;
}
