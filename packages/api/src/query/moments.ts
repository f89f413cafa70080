import { parseDuration } from '@vivace/traceql';

const NANOS_PER_SECOND = 1_000_000_000n;
/** The year 2262: what a signed 64-bit number of nanoseconds holds. */
const MAX_NANOS = (1n << 63n) - 1n;
const RFC3339 = /^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * A moment as metrics take it, in nanoseconds: whole Unix seconds of up to ten digits, nanoseconds of more, seconds
 * with a fraction, or RFC 3339. Undefined for anything else.
 */
export function parseMoment(text: string): bigint | undefined {
  if (/^\d{1,10}$/.test(text)) return BigInt(text) * NANOS_PER_SECOND;
  if (/^\d{11,19}$/.test(text)) return inRange(BigInt(text));
  const decimal = decimalNanos(text);
  if (decimal !== undefined) return inRange(decimal);
  const date = RFC3339.exec(text);
  if (date === null) return undefined;
  const ms = Date.parse(`${date[1]?.toUpperCase()}${date[3]?.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return inRange(BigInt(ms) * 1_000_000n + BigInt((date[2] ?? '').padEnd(9, '0')));
}

/** A step as metrics take it: seconds, with or without a fraction, or a duration like `30s`. */
export function parseStep(text: string): bigint | undefined {
  const nanos = decimalNanos(text) ?? parseDuration(text);
  return nanos === undefined || nanos < 0n ? undefined : inRange(nanos);
}

/** Nanoseconds of decimal seconds; what is finer than them is cut off. */
function decimalNanos(text: string): bigint | undefined {
  const match = /^(\d{1,12})(?:\.(\d{0,18}))?$/.exec(text);
  if (match === null) return undefined;
  return BigInt(match[1] as string) * NANOS_PER_SECOND + BigInt((match[2] ?? '').slice(0, 9).padEnd(9, '0'));
}

function inRange(nanos: bigint): bigint | undefined {
  return nanos < 0n || nanos > MAX_NANOS ? undefined : nanos;
}
