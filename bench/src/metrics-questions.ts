import { listAt, type Question, type QuestionGroup } from './question.ts';
import type { SpanFacts } from './span-facts.ts';
import { type SpanTest, spanTests } from './span-tests.ts';
import type { AskedTraces } from './trace-tests.ts';

const STEP_S = 10;
/** Spans of the probes last no time; none of the shop is this short. */
const SHORTEST_BUCKET_S = 1e-6;

interface SeriesAnswer {
  labels: { key: string; value: { stringValue?: string; doubleValue?: number } }[];
  samples?: { timestampMs: string; value?: number }[];
}

/**
 * Metrics over the dataset up to `nowMs`, with what each must count: metrics have no intervals of the future, where a
 * clock that is ahead or a trace that goes on and on may have spans.
 */
export function metricsQuestions(all: AskedTraces, nowMs: number): QuestionGroup[] {
  const traces = upTo(all, nowMs);
  const { facts } = traces;
  const tests = spanTests(facts);
  const serviceOf = (row: number) => facts.services[facts.service[row] as number] as string;
  const group = (name: string, question: Question): QuestionGroup => ({ name, questions: [question], fresh: true });
  return [
    group('metrics rate', rate(traces, '{ } | rate() by (resource.service.name)', tests.all, serviceOf)),
    group(
      'metrics error rate',
      rate(traces, '{ status = error } | rate() by (resource.service.name)', tests.failed, serviceOf),
    ),
    group('metrics quantile', quantiles(traces)),
    group('metrics histogram', histogram(traces)),
  ];
}

/** Spans that start in whole intervals of the past; `endMs` is the end of the last of these. */
function upTo(traces: AskedTraces, nowMs: number): AskedTraces {
  const stepMs = STEP_S * 1000;
  const endMs = Math.min(Math.ceil(traces.endMs / stepMs), Math.floor(nowMs / stepMs)) * stepMs;
  const { originNs, start } = traces.facts;
  const endNs = (endMs - Number(originNs / 1_000_000n)) * 1e6;
  return {
    ...traces,
    endMs,
    eachRow: (visit) =>
      traces.eachRow((row) => {
        if ((start[row] as number) <= endNs) visit(row);
      }),
  };
}

/** Series by one label, whose values times the step are the spans. */
function rate(traces: AskedTraces, query: string, test: SpanTest, labelOf: (row: number) => string): Question {
  const wanted = new Map<string, number>();
  traces.eachRow((row) => {
    if (test(row)) wanted.set(labelOf(row), (wanted.get(labelOf(row)) ?? 0) + 1);
  });
  return {
    path: (round) => metricsPath(traces, query, round),
    wrong: (answer) => {
      const got = new Map<string, number>();
      for (const series of listAt<SeriesAnswer>(answer, 'series')) {
        got.set(series.labels[0]?.value.stringValue ?? '', Math.round(sumOf(series) * STEP_S));
      }
      return difference(query, wanted, got);
    },
  };
}

/** Spans by the power of two that their duration is not above. */
function histogram(traces: AskedTraces): Question {
  const query = '{ } | histogram_over_time(duration)';
  const wanted = new Map<string, number>();
  traces.eachRow((row) => {
    const bound = String(2 ** Math.ceil(Math.log2(traces.facts.duration[row] as number)) / 1e9);
    wanted.set(bound, (wanted.get(bound) ?? 0) + 1);
  });
  return {
    path: (round) => metricsPath(traces, query, round),
    wrong: (answer) => {
      const got = new Map<string, number>();
      for (const series of listAt<SeriesAnswer>(answer, 'series')) {
        const bound = numberLabel(series, '__bucket');
        if (bound > SHORTEST_BUCKET_S) got.set(String(bound), Math.round(sumOf(series)));
      }
      return difference(query, wanted, got);
    },
  };
}

const QUANTILES = [0.5, 0.95, 0.99];

/** Estimates of quantiles come from buckets of powers of two: each must be in the bucket of the exact one. */
function quantiles(traces: AskedTraces): Question {
  const query = '{ kind = server } | quantile_over_time(duration, .5, .95, .99) by (span.http.route)';
  const { facts } = traces;
  const byRoute = serverSpansByRoute(traces);
  return {
    path: (round) => metricsPath(traces, query, round),
    wrong: (answer) => {
      let seen = 0;
      for (const series of listAt<SeriesAnswer>(answer, 'series')) {
        const route = series.labels[0]?.value.stringValue ?? '';
        const rows = byRoute.get(route);
        if (rows === undefined) continue;
        seen++;
        const quantile = numberLabel(series, 'p');
        const wrong = wrongQuantile(facts, rows, series, quantile);
        if (wrong !== undefined) return `${query}: ${route}, p ${quantile}: ${wrong}`;
      }
      const series = byRoute.size * QUANTILES.length;
      return seen === series ? undefined : `${query}: ${seen} series of routes instead of ${series}`;
    },
  };
}

function serverSpansByRoute(traces: AskedTraces): Map<string, number[]> {
  const { facts } = traces;
  const { server } = spanTests(facts);
  const byRoute = new Map<string, number[]>();
  traces.eachRow((row) => {
    const route = facts.textOf(row, 'http.route');
    if (!server(row) || route === undefined) return;
    const rows = byRoute.get(route);
    if (rows === undefined) byRoute.set(route, [row]);
    else rows.push(row);
  });
  return byRoute;
}

function wrongQuantile(
  facts: SpanFacts,
  rows: readonly number[],
  { samples = [] }: SeriesAnswer,
  quantile: number,
): string | undefined {
  const originMs = Number(facts.originNs / 1_000_000n);
  let counted = 0;
  for (const { timestampMs, value = 0 } of samples) {
    const endNs = (Number(timestampMs) - originMs) * 1e6;
    const durations = rows
      .filter((row) => (facts.start[row] as number) > endNs - STEP_S * 1e9 && (facts.start[row] as number) <= endNs)
      .map((row) => facts.duration[row] as number)
      .sort((a, b) => a - b);
    counted += durations.length;
    const exact = durations[Math.max(1, Math.ceil(quantile * durations.length)) - 1];
    const bound = exact === undefined ? 0 : 2 ** Math.ceil(Math.log2(exact));
    const nanos = value * 1e9;
    if (nanos < (bound / 2) * 0.999 || nanos > bound * 1.001) return `${nanos} ns at ${timestampMs}, not ${exact ?? 0}`;
  }
  return counted === rows.length ? undefined : `of ${counted} spans instead of ${rows.length}`;
}

/** The end is that of an interval and stays where it is: later ones may have spans that were not counted. */
function metricsPath({ startMs, endMs }: AskedTraces, query: string, round: number): string {
  const start = Math.floor(startMs / 1000) - (1 + round) * STEP_S;
  const parameters = { q: query, step: `${STEP_S}s`, start: String(start), end: String(endMs / 1000) };
  return `/api/metrics/query_range?${new URLSearchParams(parameters).toString()}`;
}

function sumOf({ samples = [] }: SeriesAnswer): number {
  return samples.reduce((sum, { value = 0 }) => sum + value, 0);
}

function numberLabel({ labels }: SeriesAnswer, key: string): number {
  return labels.find((label) => label.key === key)?.value.doubleValue ?? Number.NaN;
}

/** Series that the shop has none of are those of the probes. */
function difference(query: string, wanted: Map<string, number>, got: Map<string, number>): string | undefined {
  for (const [label, count] of wanted) {
    const found = got.get(label) ?? 0;
    if (found !== count) return `${query}: ${label}: ${found} spans instead of ${count}`;
  }
  return undefined;
}
