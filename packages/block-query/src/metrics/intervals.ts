import { assert } from '@vivace/kernel';
import type { Batch } from '../batch.ts';
import type { RowList } from '../row-list.ts';

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

/** Rows that count, and where. */
export interface Marks {
  /** Row → its interval; negative: it does not count. */
  of: Int32Array;
  /** Rows among which are all that count; undefined where they are many. */
  rows: RowList;
}

/** The rows of a list that are alive and start in an interval. Undefined where none does. */
export function markIntervals(batch: Batch, intervals: Intervals, list: RowList): Marks | undefined {
  const of = new Int32Array(batch.rows);
  if (list !== undefined) of.fill(-1);
  const found = isShort(intervals) ? markShort(batch, intervals, of, list) : markLong(batch, intervals, of, list);
  if (!found) return undefined;
  const marks = { of, rows: list };
  const order = batch.order();
  if (order === undefined || order.length === batch.rows) return marks;
  const live = new Int32Array(batch.rows).fill(-1);
  for (let at = 0; at < order.length; at++) live[order[at] as number] = of[order[at] as number] as number;
  return { of: live, rows: list };
}

/** Whether a span of a batch may start in an interval. */
export function mayBeMarked(batch: Batch, { start: from, step, count }: Intervals, immutable: boolean): boolean {
  const start = batch.start();
  let bounds = knownBounds.get(start);
  if (bounds === undefined) {
    bounds = boundsOf(start, batch.rows);
    if (immutable) knownBounds.set(start, bounds);
  }
  return bounds.latest > from && bounds.earliest <= from + step * BigInt(count);
}

interface Bounds {
  earliest: bigint;
  latest: bigint;
}

/** Of columns of blocks, as long as they are kept. */
const knownBounds = new WeakMap<Uint32Array, Bounds>();

function boundsOf(start: Uint32Array, rows: number): Bounds {
  let least = 0;
  let most = 0;
  for (let row = 1; row < rows; row++) {
    const high = start[2 * row + 1] as number;
    const low = start[2 * row] as number;
    const difference = high - (start[2 * least + 1] as number) || low - (start[2 * least] as number);
    if (difference < 0) least = row;
    else if ((high - (start[2 * most + 1] as number) || low - (start[2 * most] as number)) > 0) most = row;
  }
  const timeOf = (row: number) =>
    rows === 0 ? 0n : (BigInt(start[2 * row + 1] as number) << 32n) | BigInt(start[2 * row] as number);
  return { earliest: timeOf(least), latest: timeOf(most) };
}

/** Whether offsets into the range are numbers that a double holds: up to 104 days. */
function isShort({ step, count }: Intervals): boolean {
  return step * BigInt(count) <= BigInt(Number.MAX_SAFE_INTEGER);
}

/**
 * Offsets within the range are exact and below 2^53, so that the floor of their quotient is exact too; those outside
 * may be rounded, but not into the range.
 */
class ShortRange {
  readonly #start: Uint32Array;
  readonly #baseLow: number;
  readonly #baseHigh: number;
  readonly #width: number;
  readonly #inverse: number;
  readonly #range: number;

  constructor(start: Uint32Array, { start: from, step, count }: Intervals) {
    const base = from + 1n;
    this.#start = start;
    this.#baseLow = Number(base & 0xffffffffn);
    this.#baseHigh = Number(base >> 32n);
    this.#width = Number(step);
    this.#inverse = 1 / this.#width;
    this.#range = this.#width * count;
  }

  /** The interval of a row; BEFORE or AFTER all of them. */
  intervalOf(row: number): number {
    const high = (this.#start[2 * row + 1] as number) - this.#baseHigh;
    const offset = high * 4294967296 + ((this.#start[2 * row] as number) - this.#baseLow);
    if (offset < 0) return BEFORE;
    if (offset >= this.#range) return AFTER;
    // A division takes twice the time of all the rest; what the product is off by one is put right.
    const interval = (offset * this.#inverse) | 0;
    const rest = offset - interval * this.#width;
    if (rest < 0) return interval - 1;
    return rest >= this.#width ? interval + 1 : interval;
  }
}

const BEFORE = -1;
const AFTER = -2;

function markShort(batch: Batch, intervals: Intervals, marks: Int32Array, list: RowList): boolean {
  const range = new ShortRange(batch.start(), intervals);
  if (list === undefined && batch.order() === undefined) return markTraces(batch, range, marks);
  let found = false;
  const length = list?.length ?? marks.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    const interval = range.intervalOf(row);
    marks[row] = interval;
    found ||= interval >= 0;
  }
  return found;
}

/** Spans of a trace lie by their starts: where the first and the last are in one interval, all between them are. */
function markTraces(batch: Batch, range: ShortRange, marks: Int32Array): boolean {
  const first = batch.traceFirst();
  let found = false;
  for (let trace = 0; trace < batch.traceCount; trace++) {
    const from = first[trace] as number;
    const to = first[trace + 1] as number;
    if (from === to) continue;
    const interval = range.intervalOf(from);
    if (to - from === 1 || range.intervalOf(to - 1) === interval) {
      for (let row = from; row < to; row++) marks[row] = interval;
      found ||= interval >= 0;
      continue;
    }
    for (let row = from; row < to; row++) {
      const own = range.intervalOf(row);
      marks[row] = own;
      found ||= own >= 0;
    }
  }
  return found;
}

function markLong(batch: Batch, intervals: Intervals, marks: Int32Array, list: RowList): boolean {
  const start = batch.start();
  let found = false;
  const length = list?.length ?? marks.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    const time = (BigInt(start[2 * row + 1] as number) << 32n) | BigInt(start[2 * row] as number);
    const interval = intervalOf(time, intervals);
    marks[row] = interval;
    found ||= interval >= 0;
  }
  return found;
}
