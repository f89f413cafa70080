import type { AnswerValue, Series } from '@vivace/block-query';
import { parse } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import type { MetricsOptions, SearchOptions, TagScope } from '../query-engine.ts';
import {
  metricsPart,
  PlainEngine,
  STATS,
  searchPart,
  series,
  span,
  spanset,
  traceMatch,
} from '../testing/plain-engine.ts';
import { interleave } from './interleave.ts';
import { engineFor } from './tenants-engine.ts';

const range = { startUnixNano: 0n, endUnixNano: 10n, signal: new AbortController().signal };
const searchOptions: SearchOptions = {
  ...range,
  query: parse('{}'),
  limit: 20,
  spansPerSpanset: 3,
  cursor: undefined,
};
const metricsOptions = (q: string, more: Partial<MetricsOptions> = {}): MetricsOptions => ({
  ...range,
  query: parse(q),
  stepNanos: 1n,
  exemplars: 2,
  maxSeries: 0,
  ...more,
});

async function all<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const part of parts) items.push(part);
  return items;
}

describe('a search of several tenants', () => {
  test('is one list, newest first, with the sums of what was read', async () => {
    const engine = new PlainEngine();
    engine.onSearch = async function* (tenant) {
      yield searchPart([traceMatch(tenant === 'a' ? 1 : 2)]);
      yield searchPart([traceMatch(tenant === 'a' ? 5 : 4)], { problems: tenant === 'a' ? ['block x'] : [] });
    };
    const written = { spansets: true };
    const parts = await all(engineFor(engine, ['a', 'b']).search({ ...searchOptions, limit: 3, written }));
    const last = parts.at(-1);
    expect(last?.traces.map(({ traceId }) => traceId.at(-1))).toEqual([1, 2, 4]);
    expect(last?.stats).toEqual(Object.fromEntries(Object.entries(STATS).map(([name, value]) => [name, 2 * value])));
    expect(last?.problems).toEqual(['tenant a: block x']);
    expect(parts.slice(0, -1).every(({ traces }) => traces.length === 0)).toBe(true);
    expect(engine.asked.map(({ tenant }) => tenant)).toEqual(['a', 'b']);
    // What is merged cannot come written.
    expect(engine.asked.map(({ options }) => (options as SearchOptions).written)).toEqual([undefined, undefined]);
  });

  test('has a trace that two of them have a part of once', async () => {
    const engine = new PlainEngine();
    engine.onSearch = async function* (tenant) {
      const later = tenant === 'b' ? 60_000_000_000n : 0n;
      const whole = traceMatch(1);
      yield searchPart([
        traceMatch(1, {
          root: tenant === 'a' ? undefined : { service: 'b', name: 'root' },
          startUnixNano: whole.startUnixNano + later,
          services: new Map([
            [tenant === 'a' ? 'x' : 'shop', { spanCount: 1, errorCount: 1 }],
            ['same', { spanCount: 1, errorCount: 0 }],
          ]),
          spansets: [
            spanset(
              [1, 2].map((number) => ({ ...span(number), startUnixNano: later + BigInt(number) })),
              { matched: 4 },
            ),
          ],
        }),
      ]);
    };
    const last = (await all(engineFor(engine, ['a', 'b']).search(searchOptions))).at(-1);
    const [trace] = last?.traces ?? [];
    expect(last?.traces.length).toBe(1);
    expect(trace).toMatchObject({
      root: { service: 'b', name: 'root' },
      startUnixNano: traceMatch(1).startUnixNano,
      durationNanos: 60_100_000_000n,
    });
    expect([...(trace?.services ?? [])]).toEqual([
      ['x', { spanCount: 1, errorCount: 1 }],
      ['same', { spanCount: 2, errorCount: 0 }],
      ['shop', { spanCount: 1, errorCount: 1 }],
    ]);
    expect(trace?.spansets.map(({ spans, matched }) => [spans.map(({ spanId }) => spanId.at(-1)), matched])).toEqual([
      [[1, 2, 1], 8],
    ]);
  });

  test('has no pages', async () => {
    const parts = engineFor(new PlainEngine(), ['a', 'b']).search({ ...searchOptions, cursor: 'x' });
    await expect(all(parts)).rejects.toMatchObject({ kind: 'invalid', code: 'cursor-of-tenants' });
  });

  test('fails with the first of them, and ends the others', async () => {
    const engine = new PlainEngine();
    let aborted = false;
    engine.onSearch = async function* (tenant, { signal }) {
      if (tenant === 'b') {
        yield searchPart([]);
        throw new Error('b is gone');
      }
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason as Error);
        });
      });
    };
    await expect(all(engineFor(engine, ['a', 'b']).search(searchOptions))).rejects.toThrow('b is gone');
    expect(aborted).toBe(true);
  });
});

describe('metrics of several tenants', () => {
  const of = (...answers: Series[][]) => {
    const engine = new PlainEngine();
    engine.onMetrics = async function* (tenant) {
      yield metricsPart([series('early', [1])]);
      yield metricsPart(answers[Number(tenant)] ?? []);
    };
    return engineFor(
      engine,
      answers.map((_, i) => String(i)),
    );
  };
  const values = (part: { series: Series[] } | undefined) =>
    part?.series.map(({ labels, samples }) => [labels[0]?.value, samples.map(({ value }) => value)]);
  const text = (value: string): AnswerValue => ({ type: 'string', value });

  test.each([
    ['{} | rate() by(name)', [4, 6]],
    ['{} | histogram_over_time(duration)', [4, 6]],
    ['{} | min_over_time(span.x)', [1, 2]],
    ['{} | max_over_time(span.x)', [3, 4]],
  ])('%s is put together as it should be', async (q, expected) => {
    const parts = await all(
      of([series('x', [1, 2])], [series('x', [3, 4]), series('y', [5])]).metrics(metricsOptions(q)),
    );
    expect(values(parts.at(-1))).toEqual([
      [text('x'), expected],
      [text('y'), [5]],
    ]);
    expect(parts.slice(0, -1).every((part) => part.series.length === 0)).toBe(true);
  });

  test('keep labels of different types apart, exemplars to their number and series to theirs', async () => {
    const exemplar = { labels: [], value: 1, timestampMs: 1 };
    const number = { ...series('1', [1]), labels: [{ key: 'name', value: { type: 'int', value: 1n } as const }] };
    const one = { ...series('1', [Number.NaN]), exemplars: [exemplar, exemplar] };
    const engine = of([one, number], [{ ...series('1', [2]), exemplars: [exemplar] }, number]);
    const last = (await all(engine.metrics(metricsOptions('{} | rate()')))).at(-1);
    expect(values(last)).toEqual([
      [text('1'), [2]],
      [{ type: 'int', value: 1n }, [2]],
    ]);
    expect(last?.series.map((each) => each.exemplars.length)).toEqual([2, 0]);
    const cut = (await all(engine.metrics(metricsOptions('{} | rate()', { maxSeries: 1 })))).at(-1);
    expect([cut?.series.length, cut?.truncated]).toEqual([1, true]);
  });

  test.each([
    '{} | quantile_over_time(duration, .9)',
    '{} | avg_over_time(duration)',
    '{} | rate() by(name) | topk(1)',
  ])('%s has no right answer and is refused', async (q) => {
    const parts = of([], []).metrics(metricsOptions(q));
    await expect(all(parts)).rejects.toMatchObject({ kind: 'invalid', code: 'metrics-of-tenants' });
  });
});

test('names and values of several tenants are those that any of them has', async () => {
  const engine = new PlainEngine();
  engine.onTags = async (tenant) => ({
    scopes: [
      { name: 'span' as TagScope, tags: tenant === 'a' ? ['x', 'y'] : ['b', 'y'] },
      ...(tenant === 'a' ? [] : [{ name: 'resource' as TagScope, tags: ['r'] }]),
    ],
    stats: STATS,
    problems: [],
  });
  const int = (value: bigint): AnswerValue => ({ type: 'int', value });
  engine.onTagValues = async (tenant) => ({
    values: tenant === 'a' ? [int(2n), { type: 'string', value: '10' }] : [int(10n), int(2n)],
    stats: STATS,
    problems: [],
  });
  const both = engineFor(engine, ['a', 'b']);
  const tags = await both.tags({ ...range, scope: undefined, filter: undefined, limit: 2 });
  expect(tags.scopes).toEqual([
    { name: 'span', tags: ['b', 'x'] },
    { name: 'resource', tags: ['r'] },
  ]);
  const field = { kind: 'attribute', scope: 'any', name: 'x', text: '.x', from: 0, to: 0 } as const;
  const { values } = await both.tagValues({ ...range, field, filter: undefined, limit: 0 });
  expect(values).toEqual([int(2n), int(10n), { type: 'string', value: '10' }]);
});

test('interleaving reads no source ahead and ends all of them with its reader', async () => {
  const given = [0, 0];
  const signals: AbortSignal[] = [];
  const open = given.map(
    (_, source) =>
      async function* (signal: AbortSignal) {
        signals.push(signal);
        for (;;) yield (given[source] as number)++;
      },
  );
  let read = 0;
  for await (const { item } of interleave(new AbortController().signal, open)) {
    expect(item).toBeLessThanOrEqual(read);
    if (++read === 10) break;
  }
  expect((given[0] as number) + (given[1] as number)).toBeLessThanOrEqual(12);
  expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
});
