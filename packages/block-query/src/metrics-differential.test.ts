import { isKind, type Random, seededRandom, toVivaceError } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import { expect, test } from 'vitest';
import type { AnswerValue, Series } from './answer.ts';
import { metrics } from './metrics.ts';
import { naiveMetrics } from './naive/metrics.ts';
import { BASE_UNIX_NANO } from './testing/dataset.ts';
import { below } from './testing/random-choice.ts';
import { randomMetricsQuery } from './testing/random-query.ts';
import { randomTraces } from './testing/random-traces.ts';
import { readTraces } from './testing/read-traces.ts';
import { splitSources } from './testing/split-sources.ts';

const PAIRS = Number(process.env['VIVACE_METRICS_PAIRS'] ?? 6000);
const FIRST_SEED = Number(process.env['VIVACE_METRICS_SEED'] ?? 1);
const QUERIES_PER_DATASET = 20;

const options = { signal: new AbortController().signal, breathe: async () => undefined };

test(`${PAIRS} random metrics queries over random traces give what the naive evaluator gives`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PAIRS / QUERIES_PER_DATASET; seed++) {
    const random = seededRandom(seed);
    const requests = randomTraces(random);
    const traces = readTraces(requests);
    const sources = splitSources(requests, random);
    for (let i = 0; i < QUERIES_PER_DATASET; i++) {
      const query = randomMetricsQuery(random);
      const { start, end, step } = randomRange(random);
      const maxValuesPerAttribute = below(random, 4) + 1;
      const expected = await outcome(() =>
        naiveMetrics(traces, query, { start, end, step, exemplars: 0, maxValuesPerAttribute }),
      );
      const range = { startUnixNano: start, endUnixNano: end, stepNanos: step };
      const request = { query, ...range, exemplars: 0, maxSeries: 0, maxValuesPerAttribute };
      const given = await outcome(async () => (await metrics(sources, request, options)).series).catch((error) => {
        throw new Error(`seed ${seed}, query ${printQuery(query)}`, { cause: error });
      });
      // Which traces are looked at at all is the evaluator's business, and with it whether one of them is refused.
      if (typeof expected === 'string' && typeof given !== 'string') continue;
      expectSame(given, expected, `seed ${seed}, query ${printQuery(query)}`);
    }
  }
});

/** Most spans start at half seconds within 70 s. */
function randomRange(random: Random): { start: bigint; end: bigint; step: bigint } {
  const start = BASE_UNIX_NANO + BigInt(below(random, 60) - 1) * 500_000_000n;
  const step = BigInt(below(random, 4) === 0 ? 70_000_000_000 : (below(random, 20) + 1) * 500_000_000);
  return { start, step, end: start + step * BigInt(below(random, 12) + 1) };
}

type PlainSeries = { labels: unknown; times: number[]; values: number[] };

async function outcome(run: () => Series[] | Promise<Series[]>): Promise<PlainSeries[] | string> {
  try {
    return (await run()).map(({ labels, samples }) => ({
      labels: labels.map(({ key, value }) => [key, plainValue(value)]),
      times: samples.map(({ timestampMs }) => timestampMs),
      values: samples.map(({ value }) => value),
    }));
  } catch (error) {
    if (isKind(error, 'invalid')) return toVivaceError(error).code;
    throw error;
  }
}

function plainValue(value: AnswerValue): unknown {
  if (value.type === 'array') return value.values.map(plainValue);
  if (value.type === 'other') return [value.type, value.text];
  return [value.type, 'value' in value ? value.value : undefined];
}

/** Sums of floats depend on their order: values may differ by their last digits. */
function expectSame(given: PlainSeries[] | string, expected: PlainSeries[] | string, message: string): void {
  if (typeof given === 'string' || typeof expected === 'string') {
    expect(given, message).toEqual(expected);
    return;
  }
  const exact = ({ labels, times }: PlainSeries) => ({ labels, times });
  expect(given.map(exact), message).toEqual(expected.map(exact));
  for (const [i, { values, labels }] of expected.entries()) {
    for (const [k, value] of values.entries()) {
      const other = given[i]?.values[k] as number;
      const isSame = Object.is(value, other) || Math.abs(value - other) <= 1e-9 * Math.abs(value);
      if (!isSame) expect(other, `${message}, ${JSON.stringify(labels, bigintText)}`).toBe(value);
    }
  }
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
