import http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { type AnswerValue, type TraceMatch, writeTraces } from '@vivace/block-query';
import { VivaceError } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import type { ApiOptions } from '../api.ts';
import type { MetricsOptions, SearchOptions, TagsOptions, TagValuesOptions } from '../query-engine.ts';
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
import { decodeInstantStrictly, decodeRangeStrictly, decodeSearchStrictly } from '../testing/strict-answers.ts';
import { decodeTempopb } from '../testing/tempopb-schema.ts';
import { startTestApi } from '../testing/test-api.ts';

const METRICS = {
  inspectedTraces: 3,
  inspectedSpans: '40',
  inspectedBytes: '20556',
  totalBlocks: 2,
  totalBlockBytes: '9000',
  completedJobs: 2,
  totalJobs: 4,
};
const METADATA = { inspectedBytes: '20556', totalJobs: 4, completedJobs: 2, totalBlocks: 2, totalBlockBytes: '9000' };

async function start(options: Partial<ApiOptions> = {}) {
  const engine = new PlainEngine();
  const { url, port, lines } = await startTestApi({ engine, ...options });
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const asked = <T>() => engine.asked.at(-1)?.options as T;
  return { engine, url, port, lines, get, asked };
}

const q = (query: string) => `q=${encodeURIComponent(query)}`;

describe('/api/search', () => {
  test('answers what the engine found, and nothing that a strict client does not know', async () => {
    const { engine, get, asked } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)]);
      yield searchPart([traceMatch(2), traceMatch(3)], { cursor: 'next~1' });
    };
    const { status, headers, text } = await get(`/api/search?${q('{ name = "x" }')}&limit=3&spss=7&start=100&end=200`);
    expect([status, headers.get('content-type'), headers.get('x-vivace-cursor')]).toEqual([
      200,
      'application/json',
      'next~1',
    ]);
    const { traces, metrics } = decodeSearchStrictly(text);
    expect(traces.map(({ traceID }) => traceID)).toEqual(['1', '2', '3']);
    expect(metrics).toEqual(METRICS);
    expect(asked<SearchOptions>()).toMatchObject({
      limit: 3,
      spansPerSpanset: 7,
      startUnixNano: 100_000_000_000n,
      endUnixNano: 200_000_000_000n,
    });
  });

  test('is empty when nothing matches, gives POST and HEAD the same, and takes a cursor', async () => {
    const { get, asked } = await start();
    const path = `/api/search?${q('{}')}&cursor=next~1`;
    expect(decodeSearchStrictly((await get(path)).text)).toEqual({ traces: [], metrics: METRICS });
    expect(asked<SearchOptions>().cursor).toBe('next~1');
    const post = await get(path, { method: 'POST', body: 'q=ignored' });
    expect(decodeSearchStrictly(post.text)).toEqual({ traces: [], metrics: METRICS });
    const head = await get(path, { method: 'HEAD' });
    expect([head.status, head.text]).toEqual([200, '']);
  });

  test('sends traces as they come written, the last of the search for all before', async () => {
    const { engine, get, asked } = await start();
    const writtenOf = (matches: TraceMatch[]) => ({ written: writeTraces(matches, { spansets: true }) });
    engine.onSearch = async function* () {
      yield searchPart([], writtenOf([traceMatch(1)]));
      yield searchPart([], { ...writtenOf([traceMatch(1), traceMatch(2)]), cursor: 'next~1' });
      yield searchPart([]);
    };
    const { headers, text } = await get(`/api/search?${q('{}')}`);
    expect(asked<SearchOptions>().written).toEqual({ spansets: true });
    const { traces, metrics } = decodeSearchStrictly(text);
    expect(traces.map(({ traceID }) => traceID)).toEqual(['1', '2']);
    expect(metrics).toEqual(METRICS);
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1), traceMatch(2)]);
    };
    expect((await get(`/api/search?${q('{}')}`)).text).toBe(text);
    expect(headers.get('x-vivace-cursor')).toBeNull();
    await get('/api/search?tags=service.name%3Dshop');
    expect(asked<SearchOptions>().written).toEqual({ spansets: false });
    await get(`/api/search?${q('{}')}`, { headers: { accept: 'application/protobuf' } });
    expect(asked<SearchOptions>().written).toBeUndefined();
  });

  test('gives facts alone to a search by tags', async () => {
    const { engine, get } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)]);
    };
    const { traces } = decodeSearchStrictly((await get('/api/search?tags=service.name%3Dshop')).text);
    expect(Object.keys(traces[0] ?? {})).toEqual([
      'traceID',
      'rootServiceName',
      'rootTraceName',
      'startTimeUnixNano',
      'durationMs',
    ]);
  });

  test('names what could not be read instead of leaving it out, unless a part is enough', async () => {
    const { engine, get } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)], { problems: ['block 018f…: page 3 is damaged\nat byte 7'] });
    };
    const refused = await get(`/api/search?${q('{}')}`);
    expect([refused.status, refused.text.split('\n')[0]]).toEqual([
      503,
      'the answer may be incomplete: block 018f…: page 3 is damaged',
    ]);
    expect(refused.text).toContain('add partial=true');
    const part = await get(`/api/search?${q('{}')}&partial=true`);
    expect([part.status, part.headers.get('x-vivace-partial')]).toEqual([
      200,
      'block 018f : page 3 is damaged at byte 7',
    ]);
    expect(decodeSearchStrictly(part.text).traces.length).toBe(1);
  });

  test('of megabytes is sent while it is written, gzipped where that is accepted', async () => {
    const { engine, get, port } = await start();
    const value: AnswerValue = { type: 'string', value: 'Grüße '.repeat(1000) };
    const spans = Array.from({ length: 20 }, (_, i) => span(i + 1, { value }));
    engine.onSearch = async function* () {
      for (let i = 1; i <= 20; i++) yield searchPart([traceMatch(i, { spansets: [spanset(spans)] })]);
    };
    const path = `/api/search?${q('{}')}`;
    const { text } = await get(path, { headers: { 'accept-encoding': 'identity' } });
    expect(text.length).toBeGreaterThan(4_000_000);
    expect(decodeSearchStrictly(text).traces.length).toBe(20);
    const zipped = await new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
      http
        .get({ port, path, headers: { 'accept-encoding': 'gzip' } }, (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () =>
            resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(parts) }),
          );
        })
        .on('error', reject);
    });
    expect(zipped.encoding).toBe('gzip');
    expect(gunzipSync(zipped.body).toString()).toBe(text);
  });

  test('says what is wrong in text, also what the engine says', async () => {
    const { engine, get } = await start();
    const wrong = await get(`/api/search?${q('{ name = }')}`);
    expect([wrong.status, wrong.headers.get('content-type')]).toEqual([400, 'text/plain; charset=utf-8']);
    expect(wrong.text).toMatch(/^invalid TraceQL query: parse error at line 1, col 10: /);
    // oxlint-disable-next-line require-yield
    engine.onSearch = async function* () {
      throw new VivaceError('limited', 'rows', 'the query reads too much: max 5 rows');
    };
    const limited = await get(`/api/search?${q('{}')}`);
    expect([limited.status, limited.text.split('\n')[0]]).toEqual([429, 'the query reads too much: max 5 rows']);
  });

  test('takes so many queries at once and refuses more', async () => {
    const { engine, get } = await start({ limits: { maxQueries: 2 } });
    const release: (() => void)[] = [];
    engine.onSearch = async function* () {
      await new Promise<void>((resolve) => release.push(resolve));
      yield searchPart([]);
    };
    const path = `/api/search?${q('{}')}`;
    const running = [get(path), get(path)];
    await expect.poll(() => release.length).toBe(2);
    const refused = await get(path);
    expect([refused.status, refused.text.split('\n')[0]]).toEqual([429, 'too many queries are running: max 2']);
    for (const end of release) end();
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test('takes no longer than it may', async () => {
    const { engine, get } = await start({ limits: { queryTimeoutMs: 50 } });
    const signals: AbortSignal[] = [];
    engine.onSearch = async function* (_, { signal }) {
      signals.push(signal);
      await new Promise(() => {});
      yield searchPart([]);
    };
    expect((await get(`/api/search?${q('{}')}`)).status).toBe(504);
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe('tenants', () => {
  const tenancy = { enabled: true, multiTenantQueries: true };

  test('are those of the header, and merged where there are several', async () => {
    const { engine, get } = await start({ tenancy });
    engine.onSearch = async function* (tenant) {
      yield searchPart([traceMatch(tenant === 'a' ? 1 : 2)]);
    };
    const both = await get(`/api/search?${q('{}')}`, { headers: { 'x-scope-orgid': 'b|a' } });
    expect(decodeSearchStrictly(both.text).traces.map(({ traceID }) => traceID)).toEqual(['1', '2']);
    const one = await get(`/api/search?${q('{}')}`, { headers: { 'x-scope-orgid': 'b' } });
    expect(decodeSearchStrictly(one.text).traces.map(({ traceID }) => traceID)).toEqual(['2']);
  });

  test('have to be named', async () => {
    const { get } = await start({ tenancy });
    for (const path of [`/api/search?${q('{}')}`, '/api/v2/search/tags', `/api/metrics/query?${q('{} | rate()')}`]) {
      const { status, text } = await get(path);
      expect([status, text.split('\n')[0]]).toEqual([401, 'no org id']);
    }
  });
});

describe('a client that goes away', () => {
  test.each([`/api/search?${q('{}')}`, `/api/metrics/query_range?${q('{} | rate()')}`, '/api/search/tags'])(
    'ends %s in the engine',
    async (path) => {
      const { engine, port } = await start();
      const reasons: unknown[] = [];
      const waiting = (signal: AbortSignal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push((signal.reason as VivaceError).kind);
            reject(signal.reason as Error);
          });
        });
      engine.onSearch = async function* (_, { signal }) {
        yield searchPart([]);
        await waiting(signal);
      };
      engine.onMetrics = async function* (_, { signal }) {
        yield metricsPart([]);
        await waiting(signal);
      };
      engine.onTags = (_, { signal }) => waiting(signal);
      const request = http.get({ port, path, agent: false });
      request.on('error', () => {});
      await expect.poll(() => engine.asked.length).toBe(1);
      expect(reasons).toEqual([]);
      request.destroy();
      await expect.poll(() => reasons).toEqual(['canceled']);
    },
  );
});

describe('the names of tags', () => {
  const scopes = [
    { name: 'resource' as const, tags: ['service.name', 'x'] },
    { name: 'span' as const, tags: ['http.method', 'x'] },
    { name: 'event' as const, tags: [] },
  ];

  test('come by scopes in version 2, with the intrinsics and without empty scopes', async () => {
    const { engine, get, asked } = await start();
    engine.onTags = async () => ({ scopes, stats: STATS, problems: [] });
    const { text } = await get('/api/v2/search/tags?limit=5000&start=100&end=200');
    const answer = JSON.parse(text) as { scopes: { name: string; tags: string[] }[]; metrics: object };
    expect(answer.scopes.map(({ name }) => name)).toEqual(['resource', 'span', 'intrinsic']);
    expect(answer.scopes[0]).toEqual(scopes[0]);
    expect(answer.scopes[2]?.tags).toEqual(expect.arrayContaining(['duration', 'span:name', 'trace:rootService']));
    expect(answer.metrics).toEqual(METADATA);
    expect(asked<TagsOptions>()).toMatchObject({
      limit: 5000,
      scope: undefined,
      filter: undefined,
      startUnixNano: 100_000_000_000n,
    });
  });

  test('are one list in version 1', async () => {
    const { engine, get } = await start();
    engine.onTags = async () => ({ scopes, stats: STATS, problems: [] });
    expect(JSON.parse((await get('/api/search/tags')).text)).toEqual({
      tagNames: ['http.method', 'service.name', 'x'],
      metrics: METADATA,
    });
    const intrinsic = JSON.parse((await get('/api/search/tags?scope=intrinsic')).text) as { tagNames: string[] };
    expect(intrinsic.tagNames).toContain('span:status');
  });

  test('are of the last day, of one scope and narrowed by a query that may be unfinished', async () => {
    const { get, asked } = await start();
    await get(`/api/v2/search/tags?scope=span&${q('{ resource.service.name = "shop" && span.x = }')}`);
    const { scope, filter, startUnixNano, endUnixNano, limit } = asked<TagsOptions>();
    expect([scope, endUnixNano - startUnixNano, limit]).toEqual(['span', 86_400_000_000_000n, 100_000]);
    expect(filter?.expression).toMatchObject({ kind: 'binary', left: { text: 'resource.service.name' } });
    for (const broken of ['{}', 'garbage', '{ .a = ']) {
      await get(`/api/v2/search/tags?${q(broken)}`);
      expect(asked<TagsOptions>().filter, broken).toBeUndefined();
    }
    const bad = await get('/api/v2/search/tags?scope=bogus');
    expect([bad.status, bad.text]).toEqual([400, expect.stringMatching(/^invalid scope: bogus\nwrite one of/)]);
    expect(JSON.parse((await get('/api/v2/search/tags?scope=trace')).text)).toEqual({ scopes: [], metrics: {} });
  });
});

test('a client that accepts protobuf gets the same answers in it; metrics are always JSON', async () => {
  const { engine, url, get } = await start();
  engine.onSearch = async function* () {
    yield searchPart([traceMatch(1), traceMatch(2)]);
  };
  engine.onTags = async () => ({ scopes: [{ name: 'span', tags: ['a'] }], stats: STATS, problems: [] });
  engine.onTagValues = async () => ({ values: [{ type: 'string', value: 'v' }], stats: STATS, problems: [] });
  const headers = { accept: 'application/protobuf, application/json' };
  for (const [path, type] of [
    [`/api/search?${q('{ name = "x" }')}`, 'SearchResponse'],
    ['/api/search/tags', 'SearchTagsResponse'],
    ['/api/v2/search/tags', 'SearchTagsV2Response'],
    ['/api/search/tag/a/values', 'SearchTagValuesResponse'],
    ['/api/v2/search/tag/span.a/values', 'SearchTagValuesV2Response'],
  ] as const) {
    const response = await fetch(url + path, { headers });
    expect([response.status, response.headers.get('content-type')], path).toEqual([200, 'application/protobuf']);
    const json = JSON.parse((await get(path)).text) as object;
    expect(decodeTempopb(type, new Uint8Array(await response.arrayBuffer())), path).toMatchObject(json);
  }
  const metrics = await get(`/api/metrics/query_range?${q('{} | rate()')}`, { headers });
  expect(metrics.headers.get('content-type')).toBe('application/json');
});

describe('the values of a tag', () => {
  const values: AnswerValue[] = [
    { type: 'bool', value: false },
    { type: 'duration', value: 5000n },
    { type: 'float', value: 0.5 },
    { type: 'int', value: 9_007_199_254_740_993n },
    { type: 'nil' },
    { type: 'string', value: '' },
    { type: 'string', value: '0.5' },
  ];

  test('have types in version 2 and are text in version 1', async () => {
    const { engine, get, asked } = await start();
    engine.onTagValues = async () => ({ values, stats: STATS, problems: [] });
    const v2 = await get('/api/v2/search/tag/span.a%2Fb/c/values?limit=10&tag=span.other');
    expect(asked<TagValuesOptions>().field).toMatchObject({ kind: 'attribute', scope: 'span', name: 'a/b/c' });
    expect(JSON.parse(v2.text)).toEqual({
      tagValues: [
        { type: 'bool', value: 'false' },
        { type: 'duration', value: '5µs' },
        { type: 'float', value: '0.5' },
        { type: 'int', value: '9007199254740993' },
        { type: 'string', value: '' },
        { type: 'string', value: '0.5' },
      ],
      metrics: METADATA,
    });
    const v1 = await get('/api/search/tag/a.b/values');
    expect(JSON.parse(v1.text)).toEqual({
      tagValues: ['', '0.5', '5µs', '9007199254740993', 'false'],
      metrics: METADATA,
    });
    expect(asked<TagValuesOptions>().field).toMatchObject({ kind: 'attribute', scope: 'any', name: 'a.b' });
  });

  test.each([
    ['/api/v2/search/tag/span%253Aname/values', { kind: 'intrinsic', name: 'span:name' }],
    ['/api/v2/search/tag/.x/values', { kind: 'attribute', scope: 'any', name: 'x' }],
    ['/api/v2/search/tag/span.%22a%20b%22/values', { kind: 'attribute', scope: 'span', name: 'a b' }],
    ['/api/search/tag/name/values', { kind: 'intrinsic', name: 'span:name' }],
    ['/api/search/tag/root.service.name/values', { kind: 'intrinsic', name: 'trace:rootService' }],
    ['/api/search/tag/a%20%22b/values', { kind: 'attribute', scope: 'any', name: 'a "b' }],
  ])('%s asks for the field', async (path, field) => {
    const { get, asked } = await start();
    expect((await get(path)).status).toBe(200);
    expect(asked<TagValuesOptions>().field).toMatchObject(field);
  });

  test('are cut where there are too many, and said to be unless the client asked for less', async () => {
    const { engine, get } = await start();
    engine.onTagValues = async (_, { limit }) => ({
      values: Array.from({ length: limit }, (__, i): AnswerValue => ({ type: 'int', value: BigInt(i) })),
      stats: STATS,
      problems: [],
    });
    const all = await get('/api/search/tag/a/values');
    expect((JSON.parse(all.text) as { tagValues: unknown[] }).tagValues).toHaveLength(100_000);
    expect(all.headers.get('x-vivace-partial')).toBe('only the first 100000 are listed: set a filter');
    expect((await get('/api/search/tag/a/values?limit=7')).headers.get('x-vivace-partial')).toBeNull();
  });

  test('are known for keywords, and not listed where every span has its own', async () => {
    const { get, engine } = await start();
    const valuesOf = async (tag: string) =>
      (JSON.parse((await get(`/api/v2/search/tag/${tag}/values`)).text) as { tagValues: unknown[] }).tagValues;
    expect(await valuesOf('status')).toEqual(['error', 'ok', 'unset'].map((value) => ({ type: 'keyword', value })));
    expect((await valuesOf('span:kind')).length).toBe(6);
    for (const tag of ['duration', 'traceDuration', 'span:duration', 'trace:id', 'nestedSetLeft']) {
      expect(await valuesOf(tag), tag).toEqual([]);
    }
    expect(JSON.parse((await get('/api/search/tag/status.code/values')).text)).toMatchObject({
      tagValues: ['error', 'ok', 'unset'],
    });
    expect(engine.asked).toEqual([]);
  });

  test.each([
    [
      '/api/v2/search/tag/service.name/values',
      400,
      /^please provide a valid tagName: failed to parse identifier service/,
    ],
    ['/api/v2/search/tag//values', 400, /^please provide a non-empty tagName\n/],
    ['/api/search/tag/%zz/values', 400, /^please provide a valid tagName: %zz is not/],
    ['/api/search/tag/x', 404, /^404 page not found/],
    ['/api/search/tag/x/values?limit=-1', 400, /^invalid limit: /],
    ['/api/search/other', 404, /^404 page not found/],
  ])('%s is %d', async (path, status, text) => {
    const { get } = await start();
    const answer = await get(path);
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(text)]);
  });
});

describe('metrics', () => {
  test('of a range are series with samples, the last part of what the engine says', async () => {
    const { engine, get, asked } = await start();
    const exemplar = {
      labels: [{ key: 'trace:id', value: { type: 'string', value: 'abc' } as const }],
      value: 0.5,
      timestampMs: 1000.5,
    };
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [9])]);
      yield metricsPart([{ ...series('x', [0, 0.25, Number.NaN]), exemplars: [exemplar] }]);
    };
    const { status, text } = await get(
      `/api/metrics/query_range?${q('{} | rate() by(name)')}&start=100&end=160&step=10`,
    );
    expect(status).toBe(200);
    expect(decodeRangeStrictly(text)).toEqual({
      series: [
        {
          labels: [{ key: 'name', value: { stringValue: 'x' } }],
          samples: [
            { timestampMs: '1000' },
            { timestampMs: '2000', value: 0.25 },
            { timestampMs: '3000', value: 'NaN' },
          ],
          exemplars: [
            { labels: [{ key: 'trace:id', value: { stringValue: 'abc' } }], value: 0.5, timestampMs: '1000' },
          ],
        },
      ],
      metrics: METRICS,
    });
    expect(asked<MetricsOptions>()).toMatchObject({
      startUnixNano: 90_000_000_000n,
      endUnixNano: 160_000_000_000n,
      stepNanos: 10_000_000_000n,
      exemplars: 100,
    });
  });

  test('of one value have one value a series', async () => {
    const { engine, get } = await start();
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [2]), series('none', []), series('zero', [0])]);
    };
    const { text } = await get(`/api/metrics/query?query=${encodeURIComponent('{} | rate() by(name)')}&step=15s`);
    expect(decodeInstantStrictly(text)).toEqual({
      series: [
        { labels: [{ key: 'name', value: { stringValue: 'x' } }], value: 2 },
        { labels: [{ key: 'name', value: { stringValue: 'zero' } }] },
      ],
      metrics: METRICS,
    });
  });

  test('keep the types of labels', async () => {
    const { engine, get } = await start();
    const labels: [string, AnswerValue][] = [
      ['p', { type: 'float', value: 0.5 }],
      ['n', { type: 'int', value: 7n }],
      ['b', { type: 'bool', value: true }],
      ['s', { type: 'status', value: 'error' }],
      ['none', { type: 'nil' }],
    ];
    engine.onMetrics = async function* () {
      yield metricsPart([{ ...series('x', [1]), labels: labels.map(([key, value]) => ({ key, value })) }]);
    };
    const answer = decodeRangeStrictly((await get(`/api/metrics/query_range?${q('{} | rate()')}`)).text);
    expect(answer.series?.[0]?.labels?.map(({ value }) => value)).toEqual([
      { doubleValue: 0.5 },
      { intValue: '7' },
      { boolValue: true },
      { stringValue: 'error' },
      { stringValue: 'nil' },
    ]);
  });

  test('say when series are missing, and fail when data is', async () => {
    const { engine, get } = await start();
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [1])], { truncated: true });
    };
    const path = `/api/metrics/query?${q('{} | rate()')}&maxSeries=1`;
    const cut = decodeInstantStrictly((await get(path)).text);
    expect([cut.status, cut.message]).toEqual([
      'PARTIAL',
      expect.stringMatching(/^Response exceeds maximum series limit of 1, /),
    ]);
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [1])], { problems: ['block y'] });
    };
    expect((await get(path)).status).toBe(503);
    const part = await get(`${path}&partial=true`);
    expect(part.headers.get('x-vivace-partial')).toBe('block y');
    expect(decodeInstantStrictly(part.text)).toMatchObject({
      status: 'PARTIAL',
      message: 'the answer may be incomplete: block y',
    });
  });

  test('without series are an answer without them', async () => {
    const { get } = await start();
    expect((await get(`/api/metrics/query_range?${q('{} | rate()')}`)).text).toBe(
      `{"metrics":${JSON.stringify({
        inspectedTraces: 3,
        inspectedBytes: '20556',
        totalBlocks: 2,
        completedJobs: 2,
        totalJobs: 4,
        totalBlockBytes: '9000',
        inspectedSpans: '40',
      })}}`,
    );
  });

  test.each(['/api/metrics/query_range', '/api/metrics/query'])('%s refuses what is no metrics query', async (path) => {
    const { get } = await start();
    const { status, text } = await get(`${path}?${q('{}')}`);
    expect([status, text.split('\n')[0]]).toEqual([400, 'not a metrics query']);
  });
});

test('the routes of queries are listed at /status', async () => {
  const { get } = await start();
  const { text } = await get('/status');
  for (const path of ['/api/search', '/api/v2/search/tags', '/api/metrics/query_range'])
    expect(text).toContain(`  ${path}\n`);
});
