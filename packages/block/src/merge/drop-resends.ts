import { compareResends, type EncodedSpans, encodeSpans } from '@vivace/columns';
import { columnSetOf } from '../row-set.ts';
import type { Buffers } from './buffers.ts';
import { gatherSet, type SetColumns } from './gather-set.ts';
import { compareRows, type RowOrder } from './order-rows.ts';
import type { RowKeys } from './row-keys.ts';
import { freeWindows, loadRows, type Segment } from './segment.ts';

export interface ResendOptions {
  /** All that there are. */
  columns: SetColumns;
  /** Those that the segment has, where it has not all. */
  wanted?: SetColumns | undefined;
  buffers: Buffers;
  seed: number;
}

/**
 * Leaves one of the spans that have the same identity: which, says the rule of resends. Changes the order given, and
 * returns it without the others. Of a segment that has only wanted columns it may leave any of several that have the
 * same in them.
 */
export async function dropResends(
  segment: Segment,
  keys: RowKeys,
  { order, traceFirst }: RowOrder,
  options: ResendOptions,
): Promise<RowOrder> {
  const groups = findResends(keys, order, traceFirst);
  if (groups.length === 0) return { order, traceFirst };
  const lost = options.buffers.uint8('lost', order.length).fill(0, 0, order.length);
  for (let first = 0; first < groups.length; ) {
    const { first: row } = groups[first] as ResendGroup;
    let end = first + 1;
    while (end < groups.length && (groups[end] as ResendGroup).end - row <= segment.groupRows) end++;
    const open = await settle(segment, keys, order, groups.slice(first, end), options, lost);
    if (open.length > 0) await settle(segment, keys, order, open, { ...options, wanted: undefined }, lost, true);
    first = end;
  }
  const firsts = new Int32Array(traceFirst.length);
  let kept = 0;
  for (let trace = 0; trace + 1 < traceFirst.length; trace++) {
    firsts[trace] = kept;
    for (let row = traceFirst[trace] as number; row < (traceFirst[trace + 1] as number); row++) {
      if (lost[row] === 0) order[kept++] = order[row] as number;
    }
  }
  firsts[traceFirst.length - 1] = kept;
  return { order: order.subarray(0, kept), traceFirst: firsts };
}

/** Rows `first … end - 1` are one span of a trace. */
interface ResendGroup {
  trace: number;
  first: number;
  end: number;
}

function groupRows({ first, end }: ResendGroup): number {
  return end - first;
}

function findResends(keys: RowKeys, order: Int32Array, traceFirst: Int32Array): ResendGroup[] {
  const groups: ResendGroup[] = [];
  for (let trace = 0; trace + 1 < traceFirst.length; trace++) {
    const to = traceFirst[trace + 1] as number;
    for (let row = (traceFirst[trace] as number) + 1; row < to; row++) {
      if (compareRows(keys, order[row - 1] as number, order[row] as number) !== 0) continue;
      const last = groups.at(-1);
      if (last?.end === row) last.end++;
      else groups.push({ trace, first: row - 1, end: row + 1 });
    }
  }
  return groups;
}

/** Marks those that lose. Returns the groups that what is wanted does not decide; of all columns there are none. */
async function settle(
  segment: Segment,
  keys: RowKeys,
  order: Int32Array,
  groups: readonly ResendGroup[],
  { columns, wanted, buffers, seed }: ResendOptions,
  lost: Uint8Array,
  loadAll = false,
): Promise<ResendGroup[]> {
  const compared = Int32Array.from(groups.flatMap(({ first, end }) => Array.from(order.subarray(first, end))));
  const rows = compared.length;
  // Hashes are of whole spans, trace ids included.
  const trace = Int32Array.from(groups.flatMap((group) => Array.from({ length: groupRows(group) }, () => group.trace)));
  const { ids, traceCount } = segment.traces;
  const some = { order: compared, from: 0, to: rows, traceIds: ids.subarray(0, 16 * traceCount), trace };
  const windows = await loadRows(segment, compared, 0, rows, loadAll);
  const set = columnSetOf(gatherSet({ windows, keys, ...some }, wanted ?? columns, buffers, seed));
  const spans = encodeSpans(
    set,
    Int32Array.from({ length: rows }, (_, row) => row),
  );
  if (segment.isLarge || loadAll) freeWindows(windows);
  const open: ResendGroup[] = [];
  let base = 0;
  for (const group of groups) {
    const { first, end } = group;
    let best = 0;
    for (let i = 1; i < end - first; i++) if (compareResends(spans, base + i, spans, base + best) > 0) best = i;
    if (wanted !== undefined && !isDecided(spans, base, base + end - first, base + best)) open.push(group);
    else for (let i = 0; i < end - first; i++) if (i !== best) lost[first + i] = 1;
    base += end - first;
  }
  return open;
}

/** Whether each of the others ends earlier than the best, or has the same in all columns that were read. */
function isDecided(spans: EncodedSpans, from: number, to: number, best: number): boolean {
  const { ends } = spans;
  for (let i = from; i < to; i++) {
    const endsWithBest = ends[2 * i] === ends[2 * best] && ends[2 * i + 1] === ends[2 * best + 1];
    if (endsWithBest && compareResends(spans, i, spans, best) !== 0) return false;
  }
  return true;
}
