import { isKind, seededRandom } from '@vivace/kernel';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import type { Series } from './answer.ts';
import { type MetricsRequest, metrics } from './metrics.ts';
import { BASE_UNIX_NANO } from './testing/dataset.ts';
import { splitSources } from './testing/split-sources.ts';

const SECOND = 1_000_000_000n;
const options = { signal: new AbortController().signal, breathe: async () => undefined };

interface TestSpan {
  trace: number;
  /** Seconds after BASE. */
  at: number;
  forMs?: number;
  url?: string;
}

/** One request a span, so that they are cut anywhere. */
function requestsOf(spans: readonly TestSpan[]): Uint8Array[] {
  return spans.map(({ trace, at, forMs = 1, url }, i) => {
    const start = BASE_UNIX_NANO + BigInt(at * 1000) * 1_000_000n;
    const span = {
      traceId: idOf(16, trace + 1),
      spanId: idOf(8, i + 1),
      name: 'one',
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + BigInt(forMs) * 1_000_000n),
      attributes: url === undefined ? [] : [{ key: 'url', value: { stringValue: url } }],
    };
    return encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  });
}

function idOf(bytes: number, number: number): Uint8Array {
  const id = new Uint8Array(bytes);
  new DataView(id.buffer).setUint32(bytes - 4, number);
  return id;
}

async function ask(
  spans: readonly TestSpan[],
  query: string,
  request: Partial<MetricsRequest> = {},
  seed = 1,
): ReturnType<typeof metrics> {
  const range = { startUnixNano: BASE_UNIX_NANO, endUnixNano: BASE_UNIX_NANO + 60n * SECOND, stepNanos: 10n * SECOND };
  return metrics(
    splitSources(requestsOf(spans), seededRandom(seed)),
    { query: parse(query), ...range, exemplars: 0, maxSeries: 0, ...request },
    options,
  );
}

function exemplarsOf(series: readonly Series[]): string[] {
  return series.flatMap(({ exemplars }) =>
    exemplars.map(({ labels, value, timestampMs }) => {
      const [id] = labels;
      const trace = id?.value.type === 'string' ? Number.parseInt(id.value.value, 16) - 1 : '?';
      return `trace ${trace} at ${timestampMs - Number(BASE_UNIX_NANO / 1_000_000n)} ms: ${value}`;
    }),
  );
}

const THREE_SECONDS_EACH: TestSpan[] = Array.from({ length: 20 }, (_, i) => ({
  trace: i,
  at: 3 * i + 1,
  forMs: 40 + i,
}));

describe('exemplars', () => {
  test('are the newest spans of each slot of time, as high as their line', async () => {
    const { series } = await ask(THREE_SECONDS_EACH, '{ } | count_over_time()', { exemplars: 4 });
    expect(exemplarsOf(series)).toEqual([
      'trace 8 at 25000 ms: 3',
      'trace 9 at 28000 ms: 3',
      'trace 18 at 55000 ms: 3',
      'trace 19 at 58000 ms: 3',
    ]);
  });

  test('are as high as what is measured of them', async () => {
    const { series } = await ask(THREE_SECONDS_EACH, '{ } | max_over_time(duration)', { exemplars: 2 });
    expect(exemplarsOf(series)).toEqual(['trace 18 at 55000 ms: 0.058', 'trace 19 at 58000 ms: 0.059']);
  });

  test('are at most as many as are asked for, and of a trace one', async () => {
    const all = THREE_SECONDS_EACH.map((span) => ({ ...span, trace: 0 }));
    expect(exemplarsOf((await ask(all, '{ } | rate()', { exemplars: 100 })).series)).toHaveLength(1);
    expect(exemplarsOf((await ask(THREE_SECONDS_EACH, '{ } | rate()', { exemplars: 1 })).series)).toHaveLength(1);
    expect(exemplarsOf((await ask(THREE_SECONDS_EACH, '{ } | rate()', { exemplars: 100 })).series)).toHaveLength(12);
    expect(exemplarsOf((await ask(THREE_SECONDS_EACH, '{ } | rate()')).series)).toHaveLength(0);
  });

  test('do not depend on where spans lie', async () => {
    const spans = THREE_SECONDS_EACH.map((span, i) => ({ ...span, trace: i % 7, url: `/${i % 3}` }));
    const query = '{ } | quantile_over_time(duration, .5, .99) by(span.url)';
    const shown = exemplarsOf((await ask(spans, query, { exemplars: 8 }, 1)).series);
    expect(shown.length).toBeGreaterThan(4);
    for (let seed = 2; seed < 20; seed++) {
      expect(exemplarsOf((await ask(spans, query, { exemplars: 8 }, seed)).series)).toEqual(shown);
    }
  });

  test('belong to the bucket and the series that they count in', async () => {
    const spans = [
      { trace: 0, at: 5, forMs: 40, url: '/a' },
      { trace: 1, at: 6, forMs: 300, url: '/b' },
    ];
    const { series } = await ask(spans, '{ } | histogram_over_time(duration) by(span.url)', { exemplars: 10 });
    expect(series.map((one) => exemplarsOf([one]))).toEqual([
      ['trace 0 at 5000 ms: 0.04'],
      ['trace 1 at 6000 ms: 0.3'],
    ]);
    expect(series[0]?.exemplars[0]?.labels.map(({ key }) => key)).toEqual(['trace:id', 'span.url', 'duration']);
  });

  test('of series that a later stage drops are dropped', async () => {
    const spans = [...THREE_SECONDS_EACH.map((span) => ({ ...span, url: '/a' })), { trace: 50, at: 59, url: '/b' }];
    const { series } = await ask(spans, '{ } | count_over_time() by(span.url) > 1', { exemplars: 100 });
    expect(series).toHaveLength(1);
    expect(exemplarsOf(series).some((one) => one.startsWith('trace 50'))).toBe(false);
  });
});

describe('limits', () => {
  const everyUrl = (count: number): TestSpan[] =>
    Array.from({ length: count }, (_, i) => ({ trace: i, at: 5, url: `/${String(i).padStart(6, '0')}` }));

  test('of series leave out the last by labels, and say so', async () => {
    const spans = everyUrl(5);
    const { series, truncated } = await ask(spans, '{ } | rate() by(span.url)', { maxSeries: 2 });
    expect(truncated).toBe(true);
    expect(series.map(({ labels: [label] }) => label?.value)).toEqual([
      { type: 'string', value: '/000000' },
      { type: 'string', value: '/000001' },
    ]);
    expect((await ask(spans, '{ } | rate() by(span.url)', { maxSeries: 5 })).truncated).toBe(false);
    expect((await ask(spans, '{ } | rate() by(span.url) | topk(2)', { maxSeries: 2 })).truncated).toBe(false);
  });

  test('of groups refuse a query rather than take all memory', async () => {
    const error = await ask(everyUrl(20_001), '{ } | rate() by(span.url) | topk(1)').catch((reason: unknown) => reason);
    expect(isKind(error, 'limited')).toBe(true);
    expect(error).toMatchObject({ code: 'metrics-series' });
  });

  test('of memory refuse a query of many series in many intervals', async () => {
    const stepNanos = (60n * SECOND) / 10_000n;
    const error = await ask(everyUrl(3000), '{ } | rate() by(span.url)', { stepNanos }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ kind: 'limited', code: 'metrics-memory' });
  });
});

test('what was looked at is counted, without the blocks of which the filters say no', async () => {
  const { inspectedSpans } = await ask(THREE_SECONDS_EACH, '{ } | rate()');
  expect(inspectedSpans).toBeGreaterThanOrEqual(20);
  const nothing = await ask(THREE_SECONDS_EACH, '{ span.url = "/nowhere" } | rate() by(span.url)');
  expect(nothing).toMatchObject({ series: [], truncated: false });
  expect(nothing.inspectedSpans).toBeLessThan(inspectedSpans);
});

test('a range of more nanoseconds than a double counts exactly has exact intervals', async () => {
  const stepNanos = 40n * 86_400n * SECOND;
  const range = { startUnixNano: BASE_UNIX_NANO, endUnixNano: BASE_UNIX_NANO + 4n * stepNanos, stepNanos };
  const spans = [0, 1, 2, 3].map((i) => ({ trace: i, at: i * 40 * 86_400 }));
  const { series } = await ask(spans, '{ } | count_over_time()', range);
  expect(series.map(({ samples }) => samples.map(({ value }) => value))).toEqual([[1, 1, 1, 0]]);
});
