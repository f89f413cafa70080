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
  const traceCount = placeRows(order, set.trace, position, firsts);
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
  for (let trace = 0; trace < traceCount; trace++) {
    const first = traceFirst[trace] as number;
    const end = traceFirst[trace + 1] as number;
    if (end - groupStart <= rowGroupRows) continue;
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

/** Notes the place of each row, and the first row of each trace; returns how many traces there are. */
function placeRows(order: Int32Array, traces: Int32Array, position: Int32Array, firsts: Int32Array): number {
  let count = 0;
  let previous = -1;
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    position[row] = i;
    const trace = traces[row] as number;
    if (trace === previous) continue;
    previous = trace;
    firsts[count++] = i;
  }
  return count;
}
