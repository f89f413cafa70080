import { compareBytes, dataError } from '@vivace/kernel';
import type { BlockIndex, TableGroup } from './block-index.ts';
import { EVENT_STEP } from './layout.ts';
import { findTraces, type TraceList, traceRows } from './trace-list.ts';

// Which bytes answer a lookup by trace id: pure functions of the index.

/** Rows of one row group, counted from its first. */
export interface RowRange {
  group: number;
  from: number;
  to: number;
}

/** Where a trace would be. */
export interface TracePlace {
  /** Row group that may hold it; of a trace larger than a group the first. */
  group: number;
  /** Row groups that it fills wholly; 0 where it shares one with others. */
  ownGroups: number;
}

/** The row group whose traces begin at or before an id; `undefined` when all ids of the block are larger. */
export function placeTrace({ traceGroups }: BlockIndex, id: Uint8Array): TracePlace | undefined {
  let low = 0;
  let high = traceGroups.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const first = traceGroups[middle]?.firstTraceId as Uint8Array;
    if (compareBytes(first, id) <= 0) low = middle + 1;
    else high = middle;
  }
  const last = low - 1;
  if (last < 0) return undefined;
  let group = last;
  while (group > 0 && compareBytes(traceGroups[group - 1]?.firstTraceId as Uint8Array, id) === 0) group--;
  return { group, ownGroups: group === last ? 0 : last - group + 1 };
}

/**
 * Positions in the group's list that may be the trace, and their rows: usually one, none when the block does not
 * have it, several where ids share their first eight bytes.
 */
export function planTrace(
  index: BlockIndex,
  { group, ownGroups }: TracePlace,
  list: TraceList,
  id: Uint8Array,
): { position: number; ranges: RowRange[] }[] {
  const { from, to } = findTraces(list, id);
  const found: { position: number; ranges: RowRange[] }[] = [];
  for (let position = from; position < to; position++) {
    if (ownGroups === 0) {
      const rows = traceRows(list, position);
      if (rows.to <= rows.from || rows.to > (index.spans.groups[group] as TableGroup).rows) {
        throw dataError('block-index', 'the trace list of a block names rows that are not there');
      }
      found.push({ position, ranges: [{ group, ...rows }] });
    } else {
      const ranges: RowRange[] = [];
      for (let own = group; own < group + ownGroups; own++) {
        ranges.push({ group: own, from: 0, to: (index.spans.groups[own] as TableGroup).rows });
      }
      found.push({ position, ranges });
    }
  }
  return found;
}

/** Event rows, counted from the first of the group's events, among which the events of some spans are. */
export function planEvents(index: BlockIndex, { group, from, to }: RowRange): RowRange {
  const start = index.stepStart[group] as number;
  const { firstRow } = index.events.groups[group] as TableGroup;
  const first = index.eventSteps[start + Math.floor(from / EVENT_STEP)] as number;
  const end = index.eventSteps[start + Math.floor((to - 1) / EVENT_STEP) + 1] as number;
  return { group, from: first - firstRow, to: end - firstRow };
}

/** Joins the byte ranges of row groups that lie side by side, up to `maxBytes` a read. */
export function planReads(
  groups: readonly TableGroup[],
  wanted: readonly number[],
  maxBytes: number,
): { offset: number; length: number; groups: number[] }[] {
  const reads: { offset: number; length: number; groups: number[] }[] = [];
  for (const number of wanted) {
    const { offset, length } = groups[number] as TableGroup;
    const last = reads.at(-1);
    if (last !== undefined && last.offset + last.length === offset && last.length + length <= maxBytes) {
      last.length += length;
      last.groups.push(number);
    } else reads.push({ offset, length, groups: [number] });
  }
  return reads;
}
