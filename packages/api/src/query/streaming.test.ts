import http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import type { AnswerValue } from '@vivace/block-query';
import { VivaceError } from '@vivace/kernel';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ApiOptions } from '../api.ts';
import type { MetricsOptions, SearchOptions, SearchPart, TagsOptions, TagValuesOptions } from '../query-engine.ts';
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
import { decodeTempopb, encodeTempopb } from '../testing/tempopb-schema.ts';
import { startTestApi } from '../testing/test-api.ts';

const SERVICE = '/tempopb.StreamingQuerier';
const MIB = 1024 * 1024;
const METRICS = {
  inspectedTraces: 3,
  inspectedSpans: '40',
  inspectedBytes: '20556',
  totalBlocks: 2,
  totalBlockBytes: '9000',
  completedJobs: 2,
  totalJobs: 4,
};

interface Streamed {
  /** Of the messages on the wire. */
  sizes: number[];
  messages: Record<string, unknown>[];
  trailers: Record<string, string>;
}

interface CallOptions {
  metadata?: Record<string, string>;
  deadlineMs?: number;
}

async function start(options: Partial<ApiOptions> = {}) {
  const engine = new PlainEngine();
  const { port, url, api } = await startTestApi({ engine, ...options });
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const bytes = (value: Buffer) => value;
  const open = (method: string, message: Buffer, { metadata = {}, deadlineMs }: CallOptions = {}) => {
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    const deadline = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    return client.makeServerStreamRequest(`${SERVICE}/${method}`, bytes, bytes, message, sent, deadline);
  };
  /** A whole call; rejects as the client does. */
  const call = async (method: string, request: object | Buffer, response: string, more: CallOptions = {}) => {
    const type = method.replace(/^Metrics/, '').replace(/V2$/, '');
    const message = Buffer.isBuffer(request) ? request : encodeTempopb(`${type}Request`, request);
    const stream = open(method, message, more);
    const streamed: Streamed = { sizes: [], messages: [], trailers: {} };
    const status = new Promise<grpc.StatusObject>((resolve) => stream.on('status', resolve));
    for await (const part of stream) {
      streamed.sizes.push((part as Buffer).length);
      streamed.messages.push(decodeTempopb(response, part as Buffer));
    }
    streamed.trailers = (await status).metadata.getMap() as Record<string, string>;
    return streamed;
  };
  const asked = <T>() => engine.asked.at(-1)?.options as T;
  return { engine, port, url, api, open, call, asked };
}

const tracesOf = (streamed: Streamed) =>
  streamed.messages.flatMap(
    ({ traces }) => (traces ?? []) as { traceID: string; spanSets?: { spans: object[]; matched: number }[] }[],
  );

describe('Search', () => {
  test('answers the request of the health check of Grafana', async () => {
    const { call, asked } = await start();
    // Fields 4, 5, 6, 8 and the moment that Grafana always sends, before the year 1970.
    const request = Buffer.from('20012801300242027b7d520b088092b8c398feffffff01', 'hex');
    const streamed = await call('Search', request, 'SearchResponse');
    expect(streamed.messages).toEqual([{ metrics: METRICS }]);
    expect(asked<SearchOptions>()).toMatchObject({
      limit: 1,
      spansPerSpanset: 3,
      startUnixNano: 1_000_000_000n,
      endUnixNano: 2_000_000_000n,
    });
  });

  test('streams each trace once with the progress, and the cursor at the end', async () => {
    const { engine, call, asked } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)], { stats: { ...STATS, completedJobs: 1 } });
      await new Promise((resolve) => setTimeout(resolve, 250));
      yield searchPart([traceMatch(2)], { stats: { ...STATS, completedJobs: 3 } });
      yield searchPart([traceMatch(3)], { stats: { ...STATS, completedJobs: 4 }, cursor: 'next~1' });
    };
    const request = { Query: '{}', SpansPerSpanSet: 5, unknown: 'x' };
    const streamed = await call('Search', request, 'SearchResponse', { metadata: { 'x-vivace-cursor': 'this~1' } });
    expect(tracesOf(streamed).map(({ traceID }) => traceID)).toEqual(['1', '2', '3']);
    expect(streamed.messages.map(({ metrics }) => (metrics as typeof METRICS).completedJobs)).toEqual([3, 4]);
    expect(streamed.trailers['x-vivace-cursor']).toBe('next~1');
    expect(streamed.trailers['x-vivace-partial']).toBeUndefined();
    expect(asked<SearchOptions>()).toMatchObject({ cursor: 'this~1', spansPerSpanset: 5, limit: 20 });
  });

  test('takes tags and durations instead of a query', async () => {
    const { engine, call, asked } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)]);
    };
    const request = { Tags: { 'service.name': 'shop', ['__proto__']: 'x' }, MinDurationMs: 10 };
    const [trace] = tracesOf(await call('Search', request, 'SearchResponse'));
    expect(trace?.traceID).toBe('1');
    expect(trace?.spanSets).toBeUndefined();
    const text = JSON.stringify(asked<SearchOptions>().query, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    for (const part of ['service.name', '"shop"', 'trace:duration', '10000000']) expect(text).toContain(part);
  });

  test('splits what is over a megabyte between traces, and cuts a trace that is', async () => {
    const { engine, call } = await start();
    const large = (count: number, number: number) =>
      traceMatch(number, {
        spansets: [
          spanset(
            Array.from({ length: count }, (_, i) => span(i + 1, { x: { type: 'string', value: 'x'.repeat(1000) } })),
            {
              matched: count + 7,
            },
          ),
        ],
      });
    engine.onSearch = async function* () {
      yield searchPart([large(400, 1), large(400, 2), traceMatch(3), large(5000, 4)]);
    };
    const streamed = await call('Search', { Query: '{}' }, 'SearchResponse');
    expect(streamed.sizes.every((size) => size < MIB)).toBe(true);
    expect(streamed.messages.every(({ metrics }) => metrics !== undefined)).toBe(true);
    const traces = tracesOf(streamed);
    expect(traces.map(({ traceID }) => traceID)).toEqual(['1', '2', '3', '4']);
    expect(traces[0]?.spanSets?.[0]?.spans.length).toBe(400);
    const cut = traces[3]?.spanSets?.[0];
    expect(cut?.matched).toBe(5007);
    expect(cut?.spans.length).toBeGreaterThan(500);
    expect(streamed.trailers['x-vivace-partial']).toBe('1 traces have more spans than fit in a message: lower spss');
  });

  test('leaves out a value of another type than the key went out with, and says so', async () => {
    const { engine, call } = await start();
    const values: AnswerValue[] = [
      { type: 'int', value: 1n },
      { type: 'string', value: 'x' },
    ];
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1, { spansets: [spanset([span(1, { k: values[0] as AnswerValue })])] })]);
      await new Promise((resolve) => setTimeout(resolve, 250));
      yield searchPart([]);
      yield searchPart([traceMatch(2, { spansets: [spanset([span(1, { k: values[1] as AnswerValue })])] })]);
    };
    const streamed = await call('Search', { Query: '{}' }, 'SearchResponse');
    expect(JSON.stringify(tracesOf(streamed)[0])).toContain('{"key":"k","value":{"intValue":"1"}}');
    expect(JSON.stringify(tracesOf(streamed)[1])).not.toContain('"k"');
    expect(streamed.trailers['x-vivace-partial']).toMatch(/^values of another type .* were left out of k$/);
  });

  test('ends with an error for what could not be read, unless a part is enough', async () => {
    const { engine, call } = await start();
    engine.onSearch = async function* () {
      yield searchPart([traceMatch(1)], { problems: ['block x is damaged'] });
    };
    await expect(call('Search', { Query: '{}' }, 'SearchResponse')).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('block x is damaged') as string,
    });
    const part = await call('Search', { Query: '{}' }, 'SearchResponse', { metadata: { 'x-vivace-partial': 'true' } });
    expect(tracesOf(part).length).toBe(1);
    expect(part.trailers['x-vivace-partial']).toBe('block x is damaged');
  });

  test.each([
    [{ Query: '{' }, grpc.status.INVALID_ARGUMENT, /^invalid TraceQL query: /],
    [{ Query: '{}', Limit: 300_000 }, grpc.status.INVALID_ARGUMENT, /^limit 300000 exceeds max limit 262144/],
    [{ Query: '{}', SpansPerSpanSet: 101 }, grpc.status.INVALID_ARGUMENT, /^spans per span set exceeds 100/],
    [
      { Tags: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, 'v'])) },
      grpc.status.INVALID_ARGUMENT,
      /^too many tags: max 100, received 101/,
    ],
    [{ Query: '{}', start: 7 }, grpc.status.INVALID_ARGUMENT, /^http parameter start must be before end/],
    [Buffer.from([0x42, 200, 1]), grpc.status.INVALID_ARGUMENT, /^the request is not a message of tempopb/],
    [Buffer.from([0x0a, 1, 0xff]), grpc.status.INVALID_ARGUMENT, /^the request is not a message of tempopb/],
  ])('refuses %j', async (request, code, details) => {
    const { call } = await start();
    await expect(call('Search', request, 'SearchResponse')).rejects.toMatchObject({
      code,
      details: expect.stringMatching(details) as string,
    });
  });

  test.each([
    ['invalid', grpc.status.INVALID_ARGUMENT],
    ['not-found', grpc.status.NOT_FOUND],
    ['limited', grpc.status.RESOURCE_EXHAUSTED],
    ['canceled', grpc.status.CANCELLED],
    ['internal', grpc.status.INTERNAL],
  ] as const)('says that the engine failed with %s', async (kind, code) => {
    const { engine, call } = await start();
    // oxlint-disable-next-line require-yield
    engine.onSearch = async function* () {
      throw new VivaceError(kind, 'test', 'so it is');
    };
    await expect(call('Search', { Query: '{}' }, 'SearchResponse')).rejects.toMatchObject({
      code,
      details: 'so it is',
    });
  });

  test('is of the tenants in the metadata', async () => {
    const { engine, call } = await start({ tenancy: { enabled: true, multiTenantQueries: true } });
    engine.onSearch = async function* (tenant) {
      yield searchPart([traceMatch(tenant === 'a' ? 1 : 2)]);
    };
    const of = (tenants: string) =>
      call('Search', { Query: '{}' }, 'SearchResponse', { metadata: { 'x-scope-orgid': tenants } });
    expect(tracesOf(await of('b|a')).map(({ traceID }) => traceID)).toEqual(['1', '2']);
    expect(tracesOf(await of('b')).map(({ traceID }) => traceID)).toEqual(['2']);
    await expect(call('Search', { Query: '{}' }, 'SearchResponse')).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
    });
  });
});

describe('a stream', () => {
  /** Parts without end, each after the one before was taken. */
  function endless(taken: { parts: number; reason?: string }) {
    return async function* (_: string, { signal }: SearchOptions): AsyncGenerator<SearchPart> {
      signal.addEventListener('abort', () => (taken.reason = (signal.reason as VivaceError).kind));
      const text: AnswerValue = { type: 'string', value: 'x'.repeat(250_000) };
      for (; ; taken.parts++) {
        yield searchPart([traceMatch(taken.parts + 1, { spansets: [spanset([span(1, { text })])] })]);
        await new Promise((resolve) => setTimeout(resolve, 60));
        signal.throwIfAborted();
      }
    };
  }

  test('is made as fast as it is read, and not more', async () => {
    const { engine, url } = await start();
    const taken = { parts: 0 };
    engine.onSearch = endless(taken);
    // grpc-js takes megabytes in advance; this client takes what HTTP/2 makes it take.
    const session = http2.connect(url);
    session.on('error', () => {});
    onTestFinished(() => session.destroy());
    const message = encodeTempopb('SearchRequest', { Query: '{}' });
    const stream = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}/Search`,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => {});
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const before = taken.parts;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(taken.parts).toBe(before);
    expect(before).toBeLessThan(12);
    stream.resume();
    await expect.poll(() => taken.parts, { timeout: 10_000 }).toBeGreaterThan(before + 10);
  });

  test('ends in the engine when the client cancels, at its deadline, at ours, and when the server stops', async () => {
    const first = await start();
    const request = encodeTempopb('SearchRequest', { Query: '{}' });
    const canceled: { parts: number; reason?: string } = { parts: 0 };
    first.engine.onSearch = endless(canceled);
    const stream = first.open('Search', request);
    stream.on('error', () => {});
    await expect.poll(() => first.engine.asked.length).toBe(1);
    stream.cancel();
    await expect.poll(() => canceled.reason).toBe('canceled');

    const deadline: { parts: number; reason?: string } = { parts: 0 };
    first.engine.onSearch = endless(deadline);
    const late = first.call('Search', request, 'SearchResponse', { deadlineMs: 150 });
    await expect(late).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
    // The client cancels at its deadline too: either may come first.
    await expect.poll(() => deadline.reason).toMatch(/^(deadline|canceled)$/);

    const stopped: { parts: number; reason?: string } = { parts: 0 };
    first.engine.onSearch = endless(stopped);
    const cut = first.call('Search', request, 'SearchResponse');
    const ended = expect(cut).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    await expect.poll(() => first.engine.asked.length).toBe(3);
    await first.api.stop();
    await ended;
    expect(stopped.reason).toBe('unavailable');

    const second = await start({ limits: { queryTimeoutMs: 100 } });
    const overtime: { parts: number; reason?: string } = { parts: 0 };
    second.engine.onSearch = endless(overtime);
    await expect(second.call('Search', request, 'SearchResponse')).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
      details: 'the query took longer than 0.1 s',
    });
    expect(overtime.reason).toBe('deadline');
  });

  test('lets requests of HTTP go on', async () => {
    const { engine, open, url } = await start();
    engine.onSearch = endless({ parts: 0 });
    const stream = open('Search', encodeTempopb('SearchRequest', { Query: '{}' }));
    stream.on('error', () => {});
    await expect.poll(() => engine.asked.length).toBe(1);
    expect(await (await fetch(`${url}/api/echo`)).text()).toBe('echo\n');
    stream.cancel();
  });
});

test('health tells of the service', async () => {
  const { port } = await start();
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  onTestFinished(() => client.close());
  const same = (value: Buffer) => value;
  const name = 'tempopb.StreamingQuerier';
  const asked = Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
  const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, asked, (error, response) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
  expect([...(answer ?? [])]).toEqual([8, 1]);
});

describe('SearchTags and SearchTagValues', () => {
  const METADATA = { inspectedBytes: '20556', totalJobs: 4, completedJobs: 2, totalBlocks: 2, totalBlockBytes: '9000' };

  test('answer in both versions', async () => {
    const { engine, call, asked } = await start();
    engine.onTags = async () => ({ scopes: [{ name: 'span', tags: ['a', 'b'] }], stats: STATS, problems: [] });
    engine.onTagValues = async () => ({
      values: [
        { type: 'int', value: 7n },
        { type: 'string', value: 'x' },
      ],
      stats: STATS,
      problems: [],
    });
    const request = { scope: 'span', query: '{ span.a = 1 }', start: 10, end: 20, maxTagsPerScope: 9 };
    const tags = await call('SearchTags', request, 'SearchTagsResponse');
    expect(tags.messages).toEqual([{ tagNames: ['a', 'b'], metrics: METADATA }]);
    expect(asked<TagsOptions>()).toMatchObject({
      scope: 'span',
      filter: undefined,
      limit: 9,
      endUnixNano: 20_000_000_000n,
    });
    const tagsV2 = await call('SearchTagsV2', request, 'SearchTagsV2Response');
    expect(tagsV2.messages).toEqual([{ scopes: [{ name: 'span', tags: ['a', 'b'] }], metrics: METADATA }]);
    expect(asked<TagsOptions>().filter).toMatchObject({ kind: 'filter' });
    const values = await call('SearchTagValues', { tagName: 'a.b' }, 'SearchTagValuesResponse');
    expect(values.messages).toEqual([{ tagValues: ['7', 'x'], metrics: METADATA }]);
    const valuesV2 = await call(
      'SearchTagValuesV2',
      { tagName: 'span.a', query: '{ span.b = 1 }', start: 10, end: 20, maxTagValues: 3 },
      'SearchTagValuesV2Response',
    );
    expect(valuesV2.messages).toEqual([
      {
        tagValues: [
          { type: 'int', value: '7' },
          { type: 'string', value: 'x' },
        ],
        metrics: METADATA,
      },
    ]);
    expect(asked<TagValuesOptions>()).toMatchObject({ field: { scope: 'span', name: 'a' }, limit: 3 });
    const wrong = call('SearchTagValuesV2', { tagName: 'a b' }, 'SearchTagValuesV2Response');
    await expect(wrong).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  });

  test('send what fits in a message and say what did not', async () => {
    const { engine, call } = await start();
    const values = Array.from(
      { length: 100 },
      (_, i): AnswerValue => ({ type: 'string', value: `${i}`.padStart(20_000, 'x') }),
    );
    engine.onTagValues = async () => ({ values, stats: STATS, problems: [] });
    const streamed = await call('SearchTagValuesV2', { tagName: '.a' }, 'SearchTagValuesV2Response');
    expect(streamed.sizes.length).toBe(1);
    expect(streamed.sizes[0]).toBeLessThan(MIB);
    expect(streamed.messages[0]?.['tagValues']).toHaveLength(50);
    expect(streamed.trailers['x-vivace-partial']).toMatch(/^only the first 50 of 100 fit/);
  });
});

describe('MetricsQueryRange and MetricsQueryInstant', () => {
  const range = { query: '{} | rate()', start: '100000000000', end: '160000000000' };

  test('send parts as they come, the last one whole', async () => {
    const { engine, call, asked } = await start();
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [1])]);
      await new Promise((resolve) => setTimeout(resolve, 250));
      yield metricsPart([series('x', [1, 2])]);
      yield metricsPart([series('x', [1, 3]), series('y', [0])]);
    };
    const streamed = await call('MetricsQueryRange', { ...range, step: '10000000000' }, 'QueryRangeResponse');
    const label = (value: string) => [{ key: 'name', value: { stringValue: value } }];
    expect(streamed.messages.at(-1)).toEqual({
      series: [
        {
          labels: label('x'),
          samples: [
            { value: 1, timestampMs: '1000' },
            { value: 3, timestampMs: '2000' },
          ],
        },
        { labels: label('y'), samples: [{ timestampMs: '1000' }] },
      ],
      metrics: METRICS,
    });
    expect(streamed.messages.length).toBe(2);
    expect(asked<MetricsOptions>()).toMatchObject({
      startUnixNano: 90_000_000_000n,
      endUnixNano: 160_000_000_000n,
      stepNanos: 10_000_000_000n,
      exemplars: 100,
    });
  });

  test('pick a step where none is given', async () => {
    const { call, asked } = await start();
    await call('MetricsQueryRange', { ...range, exemplars: 5 }, 'QueryRangeResponse');
    expect(asked<MetricsOptions>()).toMatchObject({ stepNanos: 1_000_000_000n, exemplars: 5 });
    await call('MetricsQueryRange', { ...range, instant: true }, 'QueryRangeResponse');
    expect(asked<MetricsOptions>()).toMatchObject({ stepNanos: 60_000_000_000n, exemplars: 0 });
  });

  test('of one value are one message that replaces the one before', async () => {
    const { engine, call, asked } = await start();
    engine.onMetrics = async function* () {
      yield metricsPart([series('x', [2])], { truncated: true });
    };
    const streamed = await call('MetricsQueryInstant', range, 'QueryInstantResponse');
    expect(streamed.messages).toEqual([
      {
        series: [{ labels: [{ key: 'name', value: { stringValue: 'x' } }], value: 2 }],
        metrics: METRICS,
        status: 'PARTIAL',
        message: expect.stringMatching(/^Response exceeds maximum series limit of 10000, /) as string,
      },
    ]);
    expect(asked<MetricsOptions>()).toMatchObject({ stepNanos: 60_000_000_000n, exemplars: 0 });
  });

  test('are split between series where they are over a megabyte', async () => {
    const { engine, call } = await start();
    const many = Array.from({ length: 60 }, (_, i) => series(`${i}`, Array<number>(2000).fill(0.5)));
    engine.onMetrics = async function* () {
      yield metricsPart(many);
    };
    const streamed = await call('MetricsQueryRange', range, 'QueryRangeResponse');
    expect(streamed.sizes.length).toBeGreaterThan(1);
    expect(streamed.sizes.every((size) => size < MIB)).toBe(true);
    expect(streamed.messages.flatMap((message) => message['series'] as unknown[]).length).toBe(60);
  });

  test('of one value are cut and say so where they are over what a client receives', async () => {
    const { engine, call } = await start();
    const many = Array.from({ length: 50 }, (_, i) => series(`${i}`.padStart(100_000, 'x'), [1]));
    engine.onMetrics = async function* () {
      yield metricsPart(many);
    };
    const streamed = await call('MetricsQueryInstant', range, 'QueryInstantResponse');
    expect(streamed.messages.length).toBe(1);
    expect(streamed.messages[0]).toMatchObject({ status: 'PARTIAL' });
    expect(streamed.messages[0]?.['series']).toHaveLength(31);
  });

  test('refuse what is no metrics query', async () => {
    const { call } = await start();
    await expect(call('MetricsQueryRange', { ...range, query: '{}' }, 'QueryRangeResponse')).rejects.toMatchObject({
      code: grpc.status.INVALID_ARGUMENT,
      details: expect.stringMatching(/^not a metrics query/) as string,
    });
  });
});
