import { VivaceError } from '@vivace/kernel';
import { formatDuration, hintOf, parse, type Query } from '@vivace/traceql';
import type { TimeRange } from '../query-engine.ts';
import { parseMoment, parseStep } from './moments.ts';
import { checkQueryLength, countParameter, invalidParameter, type Parameters, told } from './parameters.ts';
import { alignRange, checkStep, defaultStep } from './steps.ts';
import { sinceNanos } from './time-window.ts';

const DEFAULT_RANGE_NANOS = 3600n * 1_000_000_000n;
/** Tempo's default and bound of exemplars in an answer. */
const MAX_EXEMPLARS = 100;
/** An answer has at most about so many points, whatever its step: some 50 MB of JSON. */
const MAX_POINTS = 1_000_000;
const LEAST_SERIES = 100;
const MOST_SERIES = 10_000;

export interface MetricsLimits {
  maxRangeNanos: bigint;
}

/** A metrics query as it is asked of the engine. */
export interface MetricsRequest {
  query: Query;
  range: TimeRange;
  stepNanos: bigint;
  exemplars: number;
  maxSeries: number;
}

/** What a client gave; undefined: not given. */
export interface GivenMetrics {
  query: string;
  startUnixNano: bigint | undefined;
  endUnixNano: bigint | undefined;
  sinceNanos?: bigint | undefined;
  stepNanos: bigint | undefined;
  exemplars: number | undefined;
  maxSeries: number | undefined;
  /** One value a series instead of one an interval. */
  instant: boolean;
}

/** The parameters of `/api/metrics/query_range` and, `instant`, of `/api/metrics/query`. */
export function metricsParameters(parameters: Parameters, instant: boolean): GivenMetrics {
  const since = parameters.get('since');
  return {
    query: parameters.get('q') ?? parameters.get('query') ?? '',
    startUnixNano: momentParameter(parameters, 'start'),
    endUnixNano: momentParameter(parameters, 'end'),
    sinceNanos: since === undefined ? undefined : sinceNanos(since),
    // Grafana sends a step with instant queries too, and it means nothing there.
    stepNanos: instant ? undefined : stepParameter(parameters),
    exemplars: countParameter(parameters, 'exemplars', { max: 1_000_000, fallback: MAX_EXEMPLARS }),
    maxSeries: countParameter(parameters, 'maxSeries', { max: 1_000_000, fallback: 0 }) || undefined,
    instant: instant || parameters.get('instant') === 'true',
  };
}

/** Checks and completes what was given. Throws `invalid` for what cannot be answered. */
export function metricsRequest(given: GivenMetrics, limits: MetricsLimits, nowMs: number): MetricsRequest {
  const query = parse(checkQueryLength(given.query));
  if (query.metrics === undefined) {
    throw new VivaceError(
      'invalid',
      'not-a-metrics-query',
      'not a metrics query\nadd a function, as in { } | rate(), or ask /api/search for traces',
    );
  }
  const range = rangeOf(given, limits, nowMs);
  if (given.instant) {
    const stepNanos = range.endUnixNano - range.startUnixNano;
    return { query, range, stepNanos, exemplars: 0, maxSeries: seriesLimit(given.maxSeries, 1) };
  }
  const step = given.stepNanos === undefined || given.stepNanos === 0n ? defaultStep(range) : given.stepNanos;
  checkStep(step, range);
  const { intervals, ...aligned } = alignRange(range, step, nowMs);
  return {
    query,
    ...aligned,
    exemplars: exemplarsOf(query, given.exemplars),
    maxSeries: seriesLimit(given.maxSeries, intervals),
  };
}

function rangeOf(given: GivenMetrics, { maxRangeNanos }: MetricsLimits, nowMs: number): TimeRange {
  const endUnixNano = given.endUnixNano ?? BigInt(Math.trunc(nowMs)) * 1_000_000n;
  const startUnixNano = given.startUnixNano ?? endUnixNano - (given.sinceNanos ?? DEFAULT_RANGE_NANOS);
  if (startUnixNano < 0n || endUnixNano <= startUnixNano) {
    throw invalidParameter(
      'end must be greater than start',
      'give start and end in Unix seconds or nanoseconds or as RFC 3339, or since as a duration',
    );
  }
  if (endUnixNano - startUnixNano > maxRangeNanos) {
    throw invalidParameter(
      `metrics query time range exceeds the maximum allowed duration of ${formatDuration(maxRangeNanos)}`,
      'ask for a shorter range',
    );
  }
  return { startUnixNano, endUnixNano };
}

/** What the query itself says wins over the parameter; nothing goes over the bound. */
function exemplarsOf(query: Query, given: number | undefined): number {
  const hint = hintOf(query, 'exemplars');
  if (hint?.type === 'bool' && !hint.value) return 0;
  if (hint?.type === 'int')
    return Number(hint.value < 0n ? 0n : hint.value > MAX_EXEMPLARS ? MAX_EXEMPLARS : hint.value);
  return Math.min(MAX_EXEMPLARS, given ?? MAX_EXEMPLARS);
}

function seriesLimit(given: number | undefined, intervals: number): number {
  const most = Math.min(MOST_SERIES, Math.max(LEAST_SERIES, Math.floor(MAX_POINTS / intervals)));
  return Math.min(most, given ?? most);
}

function momentParameter(parameters: Parameters, name: string): bigint | undefined {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const moment = parseMoment(text);
  if (moment === undefined) {
    throw invalidParameter(
      `could not parse '${name}' parameter: '${told(text)}'`,
      'write Unix seconds or nanoseconds, or RFC 3339 as in 2026-01-02T15:04:05Z',
    );
  }
  return moment;
}

function stepParameter(parameters: Parameters): bigint | undefined {
  const text = parameters.get('step');
  if (text === undefined) return undefined;
  const step = parseStep(text);
  if (step === undefined) {
    throw invalidParameter(
      `could not parse 'step' parameter: '${told(text)}'`,
      'write seconds, or a duration like 30s or 5m',
    );
  }
  return step;
}
