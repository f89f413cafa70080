import { assert } from '@vivace/kernel';
import type { Batch } from '../batch.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/** The intervals that spans are counted in by their start: the first is (start, start + step]. Nanoseconds. */
export interface Intervals {
  start: bigint;
  step: bigint;
  count: number;
}

/** More are a programmer's error: the API allows no more. */
const MAX_INTERVALS = 11_000;

export function intervalsOf(start: bigint, end: bigint, step: bigint): Intervals {
  assert(step > 0n && end > start && (end - start) % step === 0n, 'a range is a whole number of steps');
  const count = Number((end - start) / step);
  assert(count <= MAX_INTERVALS, 'there are not that many intervals');
  return { start, step, count };
}

/** Of a span that starts then; -1: in none. */
export function intervalOf(startUnixNano: bigint, { start, step, count }: Intervals): number {
  if (startUnixNano <= start) return -1;
  const interval = (startUnixNano - start - 1n) / step;
  return interval < BigInt(count) ? Number(interval) : -1;
}

/** The time of the samples of an interval: its end. */
export function endOfInterval({ start, step }: Intervals, interval: number): number {
  return Number((start + step * BigInt(interval + 1)) / 1_000_000n);
}

/** Row → its interval; -1 of rows that are dead or in none. Undefined where all are. */
export function markIntervals(batch: Batch, intervals: Intervals): Int32Array | undefined {
  const marks = new Int32Array(batch.rows);
  const found = isShort(intervals) ? markShort(batch, intervals, marks) : markLong(batch, intervals, marks);
  const order = batch.order();
  if (!found || order === undefined || order.length === batch.rows) return found ? marks : undefined;
  const live = new Int32Array(batch.rows).fill(-1);
  for (let at = 0; at < order.length; at++) live[order[at] as number] = marks[order[at] as number] as number;
  return live;
}

/** Whether offsets into the range are numbers that a double holds: up to 104 days. */
function isShort({ step, count }: Intervals): boolean {
  return step * BigInt(count) <= BigInt(Number.MAX_SAFE_INTEGER);
}

/**
 * Offsets within the range are exact and below 2^53, so that the floor of their quotient is exact too; those outside
 * may be rounded, but not into the range.
 */
function markShort(batch: Batch, { start: from, step, count }: Intervals, marks: Int32Array): boolean {
  const start = batch.start();
  const base = from + 1n;
  const baseLow = Number(base & 0xffffffffn);
  const baseHigh = Number(base >> 32n);
  const width = Number(step);
  const range = width * count;
  let found = false;
  for (let row = 0; row < marks.length; row++) {
    const offset = ((start[2 * row + 1] as number) - baseHigh) * 4294967296 + ((start[2 * row] as number) - baseLow);
    if (offset >= 0 && offset < range) {
      marks[row] = Math.floor(offset / width);
      found = true;
    } else marks[row] = -1;
  }
  return found;
}

function markLong(batch: Batch, intervals: Intervals, marks: Int32Array): boolean {
  const start = batch.start();
  let found = false;
  for (let row = 0; row < marks.length; row++) {
    const time = (BigInt(start[2 * row + 1] as number) << 32n) | BigInt(start[2 * row] as number);
    const interval = intervalOf(time, intervals);
    marks[row] = interval;
    found ||= interval >= 0;
  }
  return found;
}
