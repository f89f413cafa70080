import { foldInSteps } from '@vivace/kernel';
import type { RowSet } from './row-set.ts';
import type { RowSpace } from './row-space.ts';

/** Where traces and row groups of a block begin. */
export interface BlockShape {
  set: RowSet;
  /** Row of the block → row in the column set. */
  order: Int32Array;
  spans: RowSpace;
  traceCount: number;
  /** First row of each trace, and at the end the number of rows. */
  traceFirst: Int32Array;
  /**
   * First trace of each row group, and at the end the number of traces. Groups of a trace that is larger than
   * a group all name that trace.
   */
  groupTrace: Int32Array;
}

/**
 * Cuts rows into groups of about `rowGroupRows`, each beginning at a trace; a trace of more rows owns a run of
 * whole groups.
 */
export function shapeBlock(set: RowSet, order: Int32Array, rowGroupRows: number): BlockShape {
  const rows = order.length;
  const position = new Int32Array(set.spanCount).fill(-1);
  const firsts = new Int32Array(set.traceCount + 1);
  const traceCount = foldInSteps(rows, 0, placeRows, order, set.trace, position, firsts);
  firsts[traceCount] = rows;
  const traceFirst = firsts.subarray(0, traceCount + 1);
  const groups: number[] = [];
  const groupTrace: number[] = [];
  let groupStart = 0;
  let groupFirst = 0;
  const close = (end: number, nextTrace: number): void => {
    if (end > groupStart) {
      groups.push(groupStart);
      groupTrace.push(groupFirst);
    }
    groupStart = end;
    groupFirst = nextTrace;
  };
  const nextBeyond = (trace: number): number => firstBeyond(traceFirst, trace, groupStart + rowGroupRows);
  for (let trace = nextBeyond(0); trace < traceCount; trace = nextBeyond(trace + 1)) {
    const first = traceFirst[trace] as number;
    const end = traceFirst[trace + 1] as number;
    close(first, trace);
    while (end - groupStart > rowGroupRows) close(groupStart + rowGroupRows, trace);
    // What is left of a trace that did not fit one group is a group of its own.
    if (groupStart > first) close(end, trace + 1);
  }
  close(rows, traceCount);
  groups.push(rows);
  groupTrace.push(traceCount);
  return {
    set,
    order,
    spans: { rows, position, groups: Int32Array.from(groups) },
    traceCount,
    traceFirst,
    groupTrace: Int32Array.from(groupTrace),
  };
}

/** The first trace from one on that ends after a row; the number of all where none does. */
function firstBeyond(traceFirst: Int32Array, from: number, row: number): number {
  let low = from;
  let high = traceFirst.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((traceFirst[middle + 1] as number) > row) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Notes the place of some rows, and the first row of each trace; returns how many traces there are by now. */
function placeRows(
  before: number,
  from: number,
  to: number,
  order: Int32Array,
  traces: Int32Array,
  position: Int32Array,
  firsts: Int32Array,
): number {
  let count = before;
  let previous = from === 0 ? -1 : (traces[order[from - 1] as number] as number);
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    position[row] = i;
    const trace = traces[row] as number;
    if (trace === previous) continue;
    previous = trace;
    firsts[count++] = i;
  }
  return count;
}
