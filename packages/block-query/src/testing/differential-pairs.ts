import { bytesToHex, isKind, type Random, seededRandom, toVivaceError } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import type { AnswerAttribute, AnswerValue, Series, TraceMatch } from '../answer.ts';
import { metrics } from '../metrics.ts';
import { naiveMetrics } from '../naive/metrics.ts';
import { naiveSearch } from '../naive/search.ts';
import { search } from '../search.ts';
import { BASE_UNIX_NANO } from './dataset.ts';
import { below, chance } from './random-choice.ts';
import { randomMetricsQuery, randomQuery } from './random-query.ts';
import { randomTraces } from './random-traces.ts';
import { readTraces } from './read-traces.ts';
import { splitSources } from './split-sources.ts';

/**
 * Random queries over random traces, each answered by the evaluator that answers queries, over heads and blocks, and by
 * the naive one. Where both are right `given` deeply equals `expected`; a text is the code of a refusal.
 */
export interface Pair {
  /** What was asked, to be shown where they differ. */
  message: string;
  given: unknown;
  expected: unknown;
}

export const QUERIES_PER_SEED = 20;
/** One query in so many finds what the same query has left behind in the caches of the sources. */
const ASKED_TWICE = 10;

const options = { signal: new AbortController().signal, breathe: async () => undefined };
/** Of datasets of a dozen traces. */
const FEW_FIRST = { tracesAMatch: 0.5, least: 1, share: 1 };

export async function* searchPairs(seed: number): AsyncGenerator<Pair> {
  const random = seededRandom(seed);
  const requests = randomTraces(random);
  const traces = readTraces(requests);
  const sources = splitSources(requests, random);
  for (let i = 0; i < QUERIES_PER_SEED; i++) {
    const query = randomQuery(random);
    const request = { query, ...searchRange(random), spansPerSpanset: 1000, limit: 1 + below(random, 10) };
    const expected = await outcome(() => naiveSearch(traces, query, request).map(plainMatch));
    // Every other one looks at a few of the traces first.
    const how = i % 2 === 0 ? options : { ...options, newest: FEW_FIRST };
    const ask = () =>
      outcome(async () => (await search(sources, { ...request, after: undefined }, how)).traces.map(plainMatch));
    if (i % ASKED_TWICE === 0) await ask();
    const given = await ask();
    // Which traces are looked at at all is the evaluator's business, and with it whether one of them is refused.
    if (typeof expected === 'string' && typeof given !== 'string') continue;
    yield { message: `seed ${seed}, query ${printQuery(query)}`, given, expected };
  }
}

export async function* metricsPairs(seed: number): AsyncGenerator<Pair> {
  const random = seededRandom(seed);
  const requests = randomTraces(random);
  const traces = readTraces(requests);
  const sources = splitSources(requests, random);
  for (let i = 0; i < QUERIES_PER_SEED; i++) {
    const query = randomMetricsQuery(random);
    const { start, end, step } = metricsRange(random);
    const maxValuesPerAttribute = below(random, 4) + 1;
    const range = { startUnixNano: start, endUnixNano: end, stepNanos: step };
    const request = { query, ...range, exemplars: below(random, 3), maxSeries: 0, maxValuesPerAttribute };
    const expected = await outcome(() =>
      naiveMetrics(traces, query, { start, end, step, exemplars: 0, maxValuesPerAttribute }).map(plainSeries),
    );
    const ask = () => outcome(async () => (await metrics(sources, request, options)).series.map(plainSeries));
    if (i % ASKED_TWICE === 0) await ask();
    const given = await ask();
    if (typeof expected === 'string' && typeof given !== 'string') continue;
    if (Array.isArray(expected) && Array.isArray(given)) equateDigits(given, expected);
    yield { message: `seed ${seed}, query ${printQuery(query)}`, given, expected };
  }
}

function searchRange(random: Random): { startUnixNano: bigint | undefined; endUnixNano: bigint | undefined } {
  if (chance(random, 0.7)) return { startUnixNano: undefined, endUnixNano: undefined };
  const from = BASE_UNIX_NANO + BigInt(below(random, 60)) * 1_000_000_000n;
  return { startUnixNano: from, endUnixNano: from + BigInt(below(random, 30)) * 1_000_000_000n };
}

/** Spans start at half seconds within 70 s: many at the borders of intervals. */
function metricsRange(random: Random): { start: bigint; end: bigint; step: bigint } {
  const start = BASE_UNIX_NANO + BigInt(below(random, 60) - 1) * 500_000_000n;
  const step = BigInt(below(random, 4) === 0 ? 70_000_000_000 : (below(random, 20) + 1) * 500_000_000);
  return { start, step, end: start + step * BigInt(below(random, 12) + 1) };
}

async function outcome<T>(run: () => T | Promise<T>): Promise<T | string> {
  try {
    return await run();
  } catch (error) {
    if (isKind(error, 'invalid')) return toVivaceError(error).code;
    throw error;
  }
}

function plainMatch({ traceId, services, spansets, ...facts }: TraceMatch): unknown {
  return {
    ...facts,
    traceId: bytesToHex(traceId),
    services: [...services].sort(([a], [b]) => (a < b ? -1 : 1)),
    spansets: spansets.map(({ spans, matched, attributes }) => ({
      matched,
      attributes: attributes.map(plainAttribute),
      spans: spans.map((span) => ({
        ...span,
        spanId: bytesToHex(span.spanId),
        attributes: span.attributes.map(plainAttribute),
      })),
    })),
  };
}

interface PlainSeries {
  labels: unknown;
  times: number[];
  values: number[];
}

function plainSeries({ labels, samples }: Series): PlainSeries {
  return {
    labels: labels.map(plainAttribute),
    times: samples.map(({ timestampMs }) => timestampMs),
    values: samples.map(({ value }) => value),
  };
}

/** Sums of floats depend on their order: values that differ only in their last digits are taken for equal. */
function equateDigits(given: readonly PlainSeries[], expected: readonly PlainSeries[]): void {
  for (const [i, { values }] of given.entries()) {
    for (const [k, value] of values.entries()) {
      const other = expected[i]?.values[k];
      if (other !== undefined && Math.abs(value - other) <= 1e-9 * Math.abs(other)) values[k] = other;
    }
  }
}

function plainAttribute({ key, value }: AnswerAttribute): unknown {
  return [key, plainValue(value)];
}

function plainValue(value: AnswerValue): unknown {
  if (value.type === 'array') return value.values.map(plainValue);
  if (value.type === 'other') return [value.type, value.text];
  return [value.type, 'value' in value ? value.value : undefined];
}
