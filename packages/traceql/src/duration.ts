/**
 * Durations as nanoseconds in 64 bits, in the two notations that TraceQL takes and in the one that answers use.
 *
 * Sources: https://pkg.go.dev/time#ParseDuration, https://pkg.go.dev/time#Duration.String and
 * https://prometheus.io/docs/concepts/metric_types/ (durations are integers with the units y w d h m s ms, in this
 * order).
 */

const MICROSECOND = 1000n;
const MILLISECOND = 1_000_000n;
const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const MAX_NANOS = (1n << 63n) - 1n;
/** Longer texts are no durations, only work. */
const MAX_LENGTH = 256;

const GO_UNITS = new Map([
  ['ns', 1n],
  ['us', MICROSECOND],
  ['µs', MICROSECOND],
  ['μs', MICROSECOND],
  ['ms', MILLISECOND],
  ['s', SECOND],
  ['m', MINUTE],
  ['h', HOUR],
]);

/** `1h30m`, `-1.5s`, `.5ms`, `0`; undefined for what is none or does not fit in 64 bits. Fractions of a nanosecond are cut off. */
export function parseGoDuration(text: string): bigint | undefined {
  const negative = text.startsWith('-');
  const rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '' || rest.length > MAX_LENGTH) return undefined;
  let total = 0n;
  const part = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
  while (part.lastIndex < rest.length) {
    const found = part.exec(rest);
    if (found === null) return undefined;
    const [, whole = '', fraction = '', unit = ''] = found;
    if (whole === '' && fraction === '') return undefined;
    const nanos = GO_UNITS.get(unit) ?? 0n;
    total += BigInt(whole || '0') * nanos + (BigInt(fraction || '0') * nanos) / 10n ** BigInt(fraction.length);
    if (total > (negative ? MAX_NANOS + 1n : MAX_NANOS)) return undefined;
  }
  return negative ? -total : total;
}

const PROMETHEUS = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const PROMETHEUS_UNITS = [8760n * HOUR, 168n * HOUR, 24n * HOUR, HOUR, MINUTE, SECOND, MILLISECOND];

/** `1d`, `1w2d`, `1h30m`; undefined for what is none or does not fit in 64 bits. */
export function parsePrometheusDuration(text: string): bigint | undefined {
  if (text === '' || text.length > MAX_LENGTH) return undefined;
  const found = PROMETHEUS.exec(text);
  if (found === null) return undefined;
  let total = 0n;
  for (const [i, nanos] of PROMETHEUS_UNITS.entries()) total += BigInt(found[i + 1] ?? '0') * nanos;
  return total > MAX_NANOS ? undefined : total;
}

/** A duration as TraceQL takes it: Prometheus's notation first, then Go's. */
export function parseDuration(text: string): bigint | undefined {
  return parsePrometheusDuration(text) ?? parseGoDuration(text);
}

/** As Go writes it: `1h0m0s`, `63.333333ms`, `5µs`, `0s`, `-1.5s`. */
export function formatDuration(nanos: bigint): string {
  if (nanos < 0n) return `-${formatDuration(-nanos)}`;
  if (nanos === 0n) return '0s';
  if (nanos < MICROSECOND) return `${nanos}ns`;
  if (nanos < MILLISECOND) return `${decimal(nanos, 3)}µs`;
  if (nanos < SECOND) return `${decimal(nanos, 6)}ms`;
  const minutes = nanos / MINUTE;
  const seconds = `${decimal(nanos % MINUTE, 9)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** The number divided by 10^places, without zeros at the end. */
function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  const whole = digits.slice(0, -places);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}
