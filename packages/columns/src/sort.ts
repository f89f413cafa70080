import { addUp, inSteps } from '@vivace/kernel';
import type { ColumnSetView } from './view.ts';

/**
 * The live rows of a column set in the order of blocks: (trace id, start, span id, kind), ids byte by byte.
 * `choose` limits the rows to those for which it has the given value (one cut may make two blocks).
 */
export function sortedRows(view: ColumnSetView, choose?: { classes: Uint8Array; value: number }): Int32Array {
  // Traces first (few, by id), then rows by a counting sort over the trace's rank, then each trace's rows.
  const ranks = traceRanks(view);
  const { spanCount, traceCount, trace } = view;
  const left = choose === undefined ? view.dead : otherRows(view, choose);
  const starts = new Int32Array(traceCount + 1);
  inSteps(spanCount, countRows, starts, left, trace, ranks);
  addUp(starts);
  const order = new Int32Array(starts[traceCount] as number);
  inSteps(spanCount, placeRows, order, starts.slice(0, traceCount), left, trace, ranks);
  inSteps(traceCount, sortTraces, view, order, starts);
  return order;
}

/** 1 for the rows that are dead or not chosen. */
function otherRows({ dead, spanCount }: ColumnSetView, choose: { classes: Uint8Array; value: number }): Uint8Array {
  const left = new Uint8Array(spanCount);
  for (let row = 0; row < spanCount; row++)
    left[row] = choose.classes[row] === choose.value ? (dead[row] as number) : 1;
  return left;
}

/** Counts the rows of each trace at its rank + 1. */
function countRows(
  from: number,
  to: number,
  counts: Int32Array,
  left: Uint8Array,
  trace: Int32Array,
  ranks: Int32Array,
): void {
  for (let row = from; row < to; row++) {
    if (left[row] === 0) counts[(ranks[trace[row] as number] as number) + 1]!++;
  }
}

/** Puts each row where its trace's next one belongs. */
function placeRows(
  from: number,
  to: number,
  order: Int32Array,
  next: Int32Array,
  left: Uint8Array,
  trace: Int32Array,
  ranks: Int32Array,
): void {
  for (let row = from; row < to; row++) {
    if (left[row] === 0) order[next[ranks[trace[row] as number] as number]!++] = row;
  }
}

function sortTraces(from: number, to: number, view: ColumnSetView, order: Int32Array, starts: Int32Array): void {
  for (let rank = from; rank < to; rank++) {
    sortTrace(view, order, starts[rank] as number, starts[rank + 1] as number);
  }
}

/** Trace number → position of its id among all ids of the set. */
function traceRanks(view: ColumnSetView): Int32Array {
  const { traceCount, traceIds } = view;
  const ids = new DataView(traceIds.buffer, traceIds.byteOffset, traceCount * 16);
  // A double holds 53 bits: the first 48 bits of an id order nearly all of them, the rest is compared on ties.
  const keys = new Float64Array(traceCount);
  for (let trace = 0; trace < traceCount; trace++) {
    keys[trace] = ids.getUint32(trace * 16) * 65536 + ids.getUint16(trace * 16 + 4);
  }
  const sorted = new Int32Array(traceCount);
  for (let trace = 0; trace < traceCount; trace++) sorted[trace] = trace;
  sorted.sort((a, b) => (keys[a] as number) - (keys[b] as number) || compareIds(ids, a, b));
  const ranks = new Int32Array(traceCount);
  for (let rank = 0; rank < traceCount; rank++) ranks[sorted[rank] as number] = rank;
  return ranks;
}

function compareIds(ids: DataView, a: number, b: number): number {
  for (let at = 4; at < 16; at += 4) {
    const difference = ids.getUint32(a * 16 + at) - ids.getUint32(b * 16 + at);
    if (difference !== 0) return difference;
  }
  return 0;
}

function sortTrace(view: ColumnSetView, order: Int32Array, from: number, to: number): void {
  if (to - from > 32) {
    order.subarray(from, to).sort((a, b) => compareRows(view, a, b));
    return;
  }
  // Insertion sort: spans of a trace are few and often nearly in order.
  for (let i = from + 1; i < to; i++) {
    const row = order[i] as number;
    let at = i;
    while (at > from && compareRows(view, order[at - 1] as number, row) > 0) {
      order[at] = order[at - 1] as number;
      at--;
    }
    order[at] = row;
  }
}

function compareRows(view: ColumnSetView, a: number, b: number): number {
  const { start, spanId, kind } = view;
  return (
    (start[a * 2 + 1] as number) - (start[b * 2 + 1] as number) ||
    (start[a * 2] as number) - (start[b * 2] as number) ||
    bigEndian(spanId[a * 2] as number) - bigEndian(spanId[b * 2] as number) ||
    bigEndian(spanId[a * 2 + 1] as number) - bigEndian(spanId[b * 2 + 1] as number) ||
    (kind[a] as number) - (kind[b] as number)
  );
}

/** Four bytes read little-endian, as the unsigned number they are in byte order. */
function bigEndian(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
