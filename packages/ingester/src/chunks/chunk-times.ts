import type { ColumnSetView } from '@vivace/columns';
import type { TimeRange } from '@vivace/rpc';
import type { RowRange } from './plan-chunks.ts';

/** Nanoseconds since 1970 between which all spans of some rows lie. */
export interface ChunkTimes {
  minStart: bigint;
  maxEnd: bigint;
}

/** Spans that start so long before now, or end so long after it, have a clock that is wrong: their block is always asked. */
const EARLIEST_MS = 24 * 3_600_000;
const LATEST_MS = 10 * 60_000;

/** Of rows that are not encoded yet: of dead ones too, and to the four seconds that the high halves tell. */
export function timesOf({ start, end }: Pick<ColumnSetView, 'start' | 'end'>, { from, to }: RowRange): ChunkTimes {
  let earliest = 0xffffffff;
  let latest = 0;
  for (let at = 2 * from + 1; at < 2 * to; at += 2) {
    const first = start[at] as number;
    const last = end[at] as number;
    if (first < earliest) earliest = first;
    if (last < earliest) earliest = last;
    if (first > latest) latest = first;
    if (last > latest) latest = last;
  }
  return { minStart: BigInt(earliest) << 32n, maxEnd: (BigInt(latest) << 32n) | 0xffffffffn };
}

/** Whether rows may have what a query of that time looks at. What has an impossible time is looked at by all. */
export function isAsked({ minStart, maxEnd }: ChunkTimes, range: TimeRange | undefined, nowMs: number): boolean {
  if (range === undefined) return true;
  const now = BigInt(Math.floor(nowMs)) * 1_000_000n;
  if (minStart < now - BigInt(EARLIEST_MS) * 1_000_000n || maxEnd > now + BigInt(LATEST_MS) * 1_000_000n) return true;
  return minStart <= range.endUnixNano && maxEnd >= range.startUnixNano;
}
