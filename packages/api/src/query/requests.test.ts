import { parse } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import { metricsParameters, metricsRequest } from './metrics-request.ts';
import { parametersOf } from './parameters.ts';
import { searchParameters, searchRequest } from './search-request.ts';
import { tagOfPath } from './tag-routes.ts';

const NOW_MS = 1_795_000_000_000;
const NOW = BigInt(NOW_MS) * 1_000_000n;
const S = 1_000_000_000n;

function url(parameters: Record<string, string>) {
  return parametersOf(`http://x/?${new URLSearchParams(parameters).toString()}`);
}

const search = (parameters: Record<string, string>) => searchRequest(searchParameters(url(parameters)), NOW_MS);
const metrics = (parameters: Record<string, string>, instant = false) =>
  metricsRequest(metricsParameters(url(parameters), instant), { maxRangeNanos: 7n * 86_400n * S }, NOW_MS);

/** What a query asks for, without the places it was read from. */
function meaning(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, item: unknown) => {
      if (key === 'from' || key === 'to') return undefined;
      return typeof item === 'bigint' ? `${item}n` : item;
    }),
  );
}

describe('a search', () => {
  test('has 20 traces of 3 spans by default', () => {
    const { query, ...rest } = search({ q: '{ name = "x" }' });
    expect(rest).toEqual({
      spansets: true,
      limit: 20,
      spansPerSpanset: 3,
      cursor: undefined,
      startUnixNano: NOW - 900n * S,
      endUnixNano: NOW,
    });
    expect(query).toEqual(parse('{ name = "x" }'));
  });

  test('takes what it is given up to the bounds', () => {
    const { limit, spansPerSpanset, cursor } = search({ q: '{}', limit: '262144', spss: '100', cursor: 'abc~1' });
    expect([limit, spansPerSpanset, cursor]).toEqual([262_144, 100, 'abc~1']);
    expect(search({ q: '{}', spss: '0' }).spansPerSpanset).toBe(0);
  });

  test('finds the spans that a metrics query counts', () => {
    const { query } = search({ q: '{ name = "x" } | rate() by(name) | topk(3)' });
    expect(query.metrics).toBeUndefined();
    expect(query.secondStages).toEqual([]);
    expect(meaning(query.pipeline)).toEqual(meaning(parse('{ name = "x" }').pipeline));
  });

  test.each([
    [{ tags: 'service.name=shop', minDuration: '10ms' }, '{ .service.name = "shop" && trace:duration >= 10ms }'],
    [{ tags: 'k="v v"', maxDuration: '1s' }, '{ .k = "v v" && trace:duration <= 1s }'],
    [{ 'service.name': 'shop', limit: '5', partial: 'true' }, '{ .service.name = "shop" }'],
    [{ minDuration: '10ms' }, '{ trace:duration >= 10ms }'],
    [{}, '{}'],
    [{ start: '1', end: '2', 'service.name': 'shop' }, '{}'],
  ])('by tags: %j', (parameters, same) => {
    const { query, spansets } = search(parameters as unknown as Record<string, string>);
    expect(spansets).toBe(false);
    const spelled = JSON.stringify(meaning(parse(same).pipeline)).replaceAll('"trace:duration","text"', '""');
    expect(JSON.stringify(meaning(query.pipeline)).replaceAll('"trace:duration","text"', '""')).toBe(spelled);
  });

  test.each([
    [{ q: '{' }, /^invalid TraceQL query: parse error at line 1, col 2: /],
    [{ q: `{ name = "${'x'.repeat(140_000)}" }` }, /^TraceQL expression exceeds the configured maximum size of 131072/],
    [{ q: '{}', tags: 'a=b' }, /^invalid request: can't specify tags and q in the same query\n/],
    [{ tags: '=b' }, /^invalid tags: unexpected '=' at pos 1/],
    [{ tags: 'a="b' }, /^invalid tags: unterminated quoted value at pos 5/],
    [{ tags: 'a=b', minDuration: 'abc' }, /^invalid minDuration: time: invalid duration "abc"/],
    [{ minDuration: '2s', maxDuration: '1s' }, /^invalid maxDuration: must be greater than minDuration/],
    [{ q: '{}', limit: '0' }, /^invalid limit: must be a positive number\n/],
    [{ q: '{}', limit: '-1' }, /^invalid limit: must be a positive number, received '-1'\n/],
    [{ q: '{}', limit: '1e3' }, /^invalid limit: must be a positive number, received '1e3'\n/],
    [{ q: '{}', limit: '300000' }, /^limit 300000 exceeds max limit 262144\n/],
    [{ q: '{}', spss: '101' }, /^spans per span set exceeds 100. received 101\n/],
    [{ q: '{}', spss: 'all' }, /^invalid spss: must be a whole number, received 'all'\n/],
    [{ q: '{}', cursor: 'a\nb' }, /^invalid cursor: /],
    [{ q: '{}', cursor: 'x'.repeat(5000) }, /^invalid cursor: /],
    [Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, 'v'])), /^too many tags: max 100/],
  ])('%j is refused', (parameters, message) => {
    expect(() => search(parameters as unknown as Record<string, string>)).toThrow(message);
  });
});

describe('a metrics query', () => {
  test('asks for the last hour by default, in steps of 15 seconds', () => {
    const { query, ...rest } = metrics({ q: '{} | rate()' });
    expect(query.metrics?.function).toBe('rate');
    expect(rest).toEqual({
      range: { startUnixNano: NOW - 3600n * S - 10n * S - 15n * S, endUnixNano: NOW + 5n * S },
      stepNanos: 15n * S,
      exemplars: 100,
      maxSeries: Math.floor(1_000_000 / 242),
    });
  });

  test('takes its range in every form, and the query under both names', () => {
    const seconds = metrics({ query: '{} | rate()', start: '1794996400', end: '1795000000', step: '60' });
    for (const form of [
      { start: '1794996400000000000', end: '1795000000000000000', step: '1m' },
      { start: '1794996400.0', end: '1795000000', step: '60s' },
      { start: '2026-11-18T10:06:40Z', since: '5m', end: '2026-11-18T11:06:40Z', step: '60.0' },
      { since: '1h', step: '60' },
    ]) {
      expect(metrics({ q: '{} | rate()', ...form }).range).toEqual(seconds.range);
    }
  });

  test('for one value has one step, whatever step is sent, and no exemplars', () => {
    const request = metrics({ q: '{} | rate()', start: '1000', end: '1090', step: '15s' }, true);
    expect(request).toMatchObject({
      range: { startUnixNano: 1000n * S, endUnixNano: 1090n * S },
      stepNanos: 90n * S,
      exemplars: 0,
    });
    expect(metrics({ q: '{} | rate()', start: '1000', end: '1090', instant: 'true' })).toMatchObject({
      stepNanos: 90n * S,
      exemplars: 0,
    });
  });

  test.each([
    [{}, 100],
    [{ exemplars: '0' }, 0],
    [{ exemplars: '7' }, 7],
    [{ exemplars: '5000' }, 100],
    [{ q: '{} | rate() with(exemplars=false)', exemplars: '7' }, 0],
    [{ q: '{} | rate() with(exemplars=3)', exemplars: '7' }, 3],
    [{ q: '{} | rate() with(exemplars=3000)' }, 100],
    [{ q: '{} | rate() with(exemplars=true)', exemplars: '7' }, 7],
  ])('with %j has %d exemplars', (parameters, count) => {
    expect(metrics({ q: '{} | rate()', ...parameters }).exemplars).toBe(count);
  });

  test('has fewer series the more intervals it has', () => {
    const range = { q: '{} | rate()', start: '1000', end: '11000' };
    expect(metrics({ ...range, step: '1' }).maxSeries).toBe(100);
    expect(metrics({ ...range, step: '10000' }).maxSeries).toBe(10_000);
    expect(metrics({ ...range, step: '10000', maxSeries: '12' }).maxSeries).toBe(12);
    expect(metrics({ ...range, step: '10000', maxSeries: '12000' }).maxSeries).toBe(10_000);
  });

  test.each([
    [{ q: '{}' }, /^not a metrics query\nadd a function/],
    [{}, /^invalid TraceQL query: parse error/],
    [{ start: '200', end: '100' }, /^end must be greater than start\n/],
    [{ end: '100' }, /^end must be greater than start\n/],
    [{ start: 'abc' }, /^could not parse 'start' parameter: 'abc'\n/],
    [{ step: 'abc' }, /^could not parse 'step' parameter: 'abc'\n/],
    [{ since: 'abc' }, /^could not parse 'since' parameter: 'abc'\n/],
    [{ step: '1ms' }, /^step of 1ms is too small, minimum step for given range is 360ms\n/],
    [{ since: '8d' }, /^metrics query time range exceeds the maximum allowed duration of 168h0m0s\n/],
    [{ exemplars: 'many' }, /^invalid exemplars: must be a whole number/],
    [{ maxSeries: '-1' }, /^invalid maxSeries: must be a whole number/],
  ])('with %j is refused', (parameters, message) => {
    const given =
      'q' in parameters || Object.keys(parameters).length === 0 ? parameters : { q: '{} | rate()', ...parameters };
    expect(() => metrics(given as Record<string, string>)).toThrow(message);
  });
});

test('the tag of a path may have slashes and be encoded twice', () => {
  const tag = (path: string) => tagOfPath(path, '/api/search/tag/');
  expect(tag('/api/search/tag/span.a/values')).toBe('span.a');
  expect(tag('/api/search/tag/span.a/b/c/values')).toBe('span.a/b/c');
  expect(tag('/api/search/tag/span.a%2Fb/values')).toBe('span.a/b');
  expect(tag('/api/search/tag/span%3Aname/values')).toBe('span:name');
  expect(tag('/api/search/tag/span%253Aname/values')).toBe('span:name');
  expect(tag('/api/search/tag/span.%22a%20b%22/values')).toBe('span."a b"');
  expect(tag('/api/search/tag/span.%2522a%2520b%2522/values')).toBe('span."a b"');
  expect(tag('/api/search/tag/span.values/values')).toBe('span.values');
  expect(tag('/api/search/tag/span.a/values/values')).toBe('span.a/values');
  // What nobody encodes stands for itself.
  expect(tag('/api/search/tag/span.%2541/values')).toBe('span.%41');
  expect(tag('/api/search/tag/span.100%25/values')).toBe('span.100%');
  expect(tag('/api/search/tag//values')).toBe('');
  expect(tag('/api/search/tag/values')).toBe('');
  expect(tag('/api/search/tag/span.a')).toBeUndefined();
  expect(tag('/api/search/tag/span.avalues')).toBeUndefined();
  expect(() => tag('/api/search/tag/span.%zz/values')).toThrow(/^please provide a valid tagName: .*\nencode/);
});
