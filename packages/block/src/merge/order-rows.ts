import type { Buffers } from './buffers.ts';
import type { RowKeys } from './row-keys.ts';
import type { Segment } from './segment.ts';

// Rows of a trace that several inputs have a part of are merged by (start, span id, kind); those of any other trace
// follow one another as they lie.

export interface RowOrder {
  /** Row → position in the segment. */
  order: Int32Array;
  /** First row of each trace, and at the end the number of rows. */
  traceFirst: Int32Array;
}

/** The rows of a segment in block order; spans of one identity lie side by side. */
export function orderRows({ traces, rows, partFirst }: Segment, keys: RowKeys, buffers: Buffers): RowOrder {
  const order = buffers.int32('order', rows).subarray(0, rows);
  const { traceCount, firstPart, spans } = traces;
  const traceFirst = new Int32Array(traceCount + 1);
  let row = 0;
  for (let trace = 0; trace < traceCount; trace++) {
    traceFirst[trace] = row;
    const first = firstPart[trace] as number;
    const last = firstPart[trace + 1] as number;
    for (let part = first; part < last; part++) {
      const position = partFirst[part] as number;
      const count = spans[part] as number;
      for (let i = 0; i < count; i++) order[row + i] = position + i;
      row += count;
    }
    if (last - first > 1) {
      // Ends of the parts, each of which is in order.
      const ends: number[] = [];
      let end = traceFirst[trace] as number;
      for (let part = first; part < last; part++) ends.push((end += spans[part] as number));
      mergeParts(
        order,
        traceFirst[trace] as number,
        ends,
        keys,
        // What links parents comes later.
        buffers.int32('parents', row - (traceFirst[trace] as number)),
      );
    }
  }
  traceFirst[traceCount] = row;
  return { order, traceFirst };
}

/** Merges neighbouring sorted parts of `order` pair by pair until one is left. */
function mergeParts(order: Int32Array, first: number, ends: readonly number[], keys: RowKeys, room: Int32Array): void {
  let left = [...ends];
  while (left.length > 1) {
    const merged: number[] = [];
    let from = first;
    for (let i = 0; i < left.length; i += 2) {
      const middle = left[i] as number;
      const end = left[i + 1] ?? middle;
      if (end > middle) mergeTwo(order, from, middle, end, keys, room);
      merged.push(end);
      from = end;
    }
    left = merged;
  }
}

function mergeTwo(order: Int32Array, from: number, middle: number, end: number, keys: RowKeys, room: Int32Array): void {
  // Parts of a trace often follow one another in time.
  if (compareRows(keys, order[middle - 1] as number, order[middle] as number) <= 0) return;
  room.set(order.subarray(from, middle));
  const count = middle - from;
  let a = 0;
  let b = middle;
  let at = from;
  while (a < count && b < end) {
    if (compareRows(keys, room[a] as number, order[b] as number) <= 0) order[at++] = room[a++] as number;
    else order[at++] = order[b++] as number;
  }
  while (a < count) order[at++] = room[a++] as number;
}

/** The trace of rows `from … to - 1`. */
export function tracesOf(traceFirst: Int32Array, from: number, to: number): Int32Array {
  const traces = new Int32Array(to - from);
  let trace = 0;
  while ((traceFirst[trace + 1] as number) <= from) trace++;
  for (let row = from; row < to; row++) {
    while ((traceFirst[trace + 1] as number) <= row) trace++;
    traces[row - from] = trace;
  }
  return traces;
}

/** By (start, span id bytewise, kind); 0 where the rows are one span. */
export function compareRows({ start, spanId, kind }: RowKeys, a: number, b: number): number {
  return (
    (start[2 * a + 1] as number) - (start[2 * b + 1] as number) ||
    (start[2 * a] as number) - (start[2 * b] as number) ||
    bigEndian(spanId[2 * a] as number) - bigEndian(spanId[2 * b] as number) ||
    bigEndian(spanId[2 * a + 1] as number) - bigEndian(spanId[2 * b + 1] as number) ||
    (kind[a] as number) - (kind[b] as number)
  );
}

/** Four bytes read little-endian, as the unsigned number they are in byte order. */
function bigEndian(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
