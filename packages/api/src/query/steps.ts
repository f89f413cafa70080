import { formatDuration } from '@vivace/traceql';
import type { TimeRange } from '../query-engine.ts';
import { invalidParameter } from './parameters.ts';

const NANOS_PER_MS = 1_000_000n;
const SECOND = 1_000_000_000n;

/** Intervals of one answer, as Tempo has it. */
const MAX_INTERVALS = 10_000n;
/** What a step is chosen for: points enough for a picture on any screen. */
const DEFAULT_INTERVALS = 240n;
const FINEST = 50n * NANOS_PER_MS;
const GRAINS = [3600n, 300n, 60n, 15n, 5n, 1n].map((seconds) => seconds * SECOND);

/** The step of a query that names none: a round one that gives about 240 intervals. */
export function defaultStep({ startUnixNano, endUnixNano }: TimeRange): bigint {
  const range = endUnixNano - startUnixNano;
  const wanted = range / DEFAULT_INTERVALS;
  if (range < 60n * SECOND) return max(FINEST, floorTo(wanted, FINEST));
  const grain = GRAINS.find((candidate) => wanted > candidate) ?? SECOND;
  return max(SECOND, floorTo(wanted, grain));
}

/** Throws for a step that gives more than 10,000 intervals. */
export function checkStep(step: bigint, { startUnixNano, endUnixNano }: TimeRange): void {
  const least = (endUnixNano - startUnixNano + MAX_INTERVALS - 1n) / MAX_INTERVALS;
  if (step >= least) return;
  throw invalidParameter(
    `step of ${formatDuration(step)} is too small, minimum step for given range is ${formatDuration(least)}`,
    'give a longer step, or none; or ask for a shorter range',
  );
}

/**
 * The range that the intervals of a query cover: whole steps since 1970, so that the same moment is in the same
 * interval however a dashboard is moved. Intervals are (t - step, t], and the first one is that which ends where
 * the range begins. What lies after the interval of now is not asked for. A step as long as the range is one
 * interval, the range itself.
 */
export function alignRange(
  range: TimeRange,
  step: bigint,
  nowMs: number,
): { range: TimeRange; stepNanos: bigint; intervals: number } {
  const { startUnixNano, endUnixNano } = range;
  const length = endUnixNano - startUnixNano;
  if (step >= length) return { range, stepNanos: length, intervals: 1 };
  const start = startUnixNano < step ? 0n : floorTo(startUnixNano, step) - step;
  const lastOfNow = ceilTo(BigInt(Math.trunc(nowMs)) * NANOS_PER_MS, step);
  const end = max(start + step, min(ceilTo(endUnixNano, step), lastOfNow));
  return {
    range: { startUnixNano: start, endUnixNano: end },
    stepNanos: step,
    intervals: Number((end - start) / step),
  };
}

function floorTo(value: bigint, unit: bigint): bigint {
  return value - (value % unit);
}

function ceilTo(value: bigint, unit: bigint): bigint {
  return floorTo(value + unit - 1n, unit);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
