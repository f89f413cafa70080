import { formatDuration, parsePrometheusDuration } from '@vivace/traceql';
import type { TimeRange } from '../query-engine.ts';
import { invalidParameter, type Parameters, told, wholeNumber } from './parameters.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
const MAX_UINT32 = 4294967295;

export interface Window {
  /** What is asked for when nothing is said, up to now. */
  defaultNanos: bigint;
  /** Undefined: any. */
  maxNanos: bigint | undefined;
}

/** Searches ask for the last quarter of an hour, as Tempo's do. */
export const SEARCH_WINDOW: Window = {
  defaultNanos: 900n * NANOS_PER_SECOND,
  maxNanos: 168n * 3600n * NANOS_PER_SECOND,
};
/** Names and values of attributes come from the last day: reading them costs little. */
export const TAG_WINDOW: Window = { defaultNanos: 86_400n * NANOS_PER_SECOND, maxNanos: undefined };

/** Unix seconds as clients give them; undefined: not given. */
export interface GivenSeconds {
  start: number | undefined;
  end: number | undefined;
}

/** `start` and `end`, or `since`, of a search or a question about attributes. */
export function windowParameters(parameters: Parameters, window: Window, nowMs: number): TimeRange {
  const since = parameters.get('since');
  const defaultNanos = since === undefined ? window.defaultNanos : sinceNanos(since);
  return windowOf(secondsParameters(parameters), { ...window, defaultNanos }, nowMs);
}

/** `start` and `end` in Unix seconds; 0 is as good as absent. */
export function secondsParameters(parameters: Parameters): GivenSeconds {
  return { start: secondsParameter(parameters, 'start'), end: secondsParameter(parameters, 'end') };
}

/** The range of nanoseconds that is asked for. Throws for half a range, a turned one and one that is too long. */
export function windowOf({ start, end }: GivenSeconds, { defaultNanos, maxNanos }: Window, nowMs: number): TimeRange {
  if (start === undefined && end === undefined) {
    const endUnixNano = BigInt(Math.trunc(nowMs)) * 1_000_000n;
    const range = { startUnixNano: endUnixNano - defaultNanos, endUnixNano };
    checkLength(range, maxNanos);
    return range;
  }
  const startSeconds = start ?? 0;
  const endSeconds = end ?? 0;
  if (start === undefined) {
    throw invalidParameter(
      `http parameters start and end must be given together. received start=0 end=${endSeconds}`,
      'give both in Unix seconds, or neither for the last while up to now',
    );
  }
  if (startSeconds >= endSeconds) {
    throw invalidParameter(
      `http parameter start must be before end. received start=${startSeconds} end=${endSeconds}`,
      'give both in Unix seconds, or neither for the last while up to now',
    );
  }
  const range = {
    startUnixNano: BigInt(startSeconds) * NANOS_PER_SECOND,
    endUnixNano: BigInt(endSeconds) * NANOS_PER_SECOND,
  };
  checkLength(range, maxNanos);
  return range;
}

/** A duration like `1h30m` or `2d`, above nothing. */
export function sinceNanos(text: string): bigint {
  const nanos = parsePrometheusDuration(text);
  if (nanos === undefined || nanos === 0n) {
    throw invalidParameter(`could not parse 'since' parameter: '${told(text)}'`, 'write a duration like 30m, 1h or 2d');
  }
  return nanos;
}

function checkLength({ startUnixNano, endUnixNano }: TimeRange, maxNanos: bigint | undefined): void {
  if (maxNanos === undefined || endUnixNano - startUnixNano <= maxNanos) return;
  throw invalidParameter(
    `range specified by start and end exceeds ${formatDuration(maxNanos)}. received start=${startUnixNano / NANOS_PER_SECOND} end=${endUnixNano / NANOS_PER_SECOND}`,
    'search a shorter range at a time',
  );
}

function secondsParameter(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const seconds = wholeNumber(text);
  if (seconds === undefined || seconds > MAX_UINT32) {
    throw invalidParameter(
      `invalid ${name}: '${told(text)}' are no Unix seconds`,
      `write Unix seconds, a whole number up to ${MAX_UINT32}`,
    );
  }
  return seconds === 0 ? undefined : seconds;
}
