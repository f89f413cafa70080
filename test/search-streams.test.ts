import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePlainSpans, type PlainSpan } from './harness/plain-spans.ts';
import { search } from './harness/query-client.ts';
import { openQueryStreams, type QueryStreams } from './harness/query-streams.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

// Queries over gRPC, on the port of the HTTP API, as Grafana asks them when it streams.

const data = temporaryDirectory();
const NOW_MS = Date.now();
const TRACES = 30;
const range = { start: Math.floor(NOW_MS / 1000) - 600, end: Math.ceil(NOW_MS / 1000) + 1 };
const nanos = (seconds: number) => String(BigInt(seconds) * 1_000_000_000n);
let server: TestServer;
let streams: QueryStreams;

beforeAll(async () => {
  server = await startServer({ dataDir: data.path });
  streams = openQueryStreams(server);
  const spans = Array.from({ length: TRACES }, (_, trace): PlainSpan[] => {
    const common = { trace: (0x100 + trace).toString(16), startMs: NOW_MS - 1000 * (trace + 5) };
    return [
      { ...common, span: '1', name: 'GET /', kind: 2, attributes: { number: trace } },
      { ...common, span: '2', parent: '1', service: 'stock', name: 'reserve', failed: trace % 3 === 0 },
    ];
  }).flat();
  await sendBytes(server, encodePlainSpans(spans.filter((_, i) => i % 4 !== 3)));
  await flush(server);
  await sendBytes(server, encodePlainSpans(spans.filter((_, i) => i % 4 === 3)));
});
afterAll(async () => {
  streams.close();
  await server.stop();
  data.remove();
});

const tracesOf = (messages: Record<string, unknown>[]) =>
  messages.flatMap(({ traces = [] }) => traces as { traceID: string }[]).map(({ traceID }) => traceID);

describe('Search', () => {
  test('gives the traces that HTTP gives, each once, newest first', async () => {
    const query = '{ name = "GET /" } > { name = "reserve" }';
    const { messages } = await streams.call('Search', { Query: query, Limit: 100, SpansPerSpanSet: 5, ...range });
    const { traces } = await search(server, query, { limit: 100 });
    expect(traces).toHaveLength(TRACES);
    expect(tracesOf(messages)).toEqual(traces.map(({ traceID }) => traceID));
    expect(messages.at(-1)?.['metrics']).toMatchObject({ totalBlocks: 1, inspectedSpans: String(2 * TRACES) });
  });

  test('goes on with the cursor of its trailer', async () => {
    const request = { Query: '{ span.number >= 0 }', Limit: 20, ...range };
    const first = await streams.call('Search', request);
    const cursor = first.trailers['x-vivace-cursor'] as string;
    const rest = await streams.call('Search', request, { 'x-vivace-cursor': cursor });
    expect(rest.trailers['x-vivace-cursor']).toBeUndefined();
    const ids = [...tracesOf(first.messages), ...tracesOf(rest.messages)];
    expect(ids).toEqual(Array.from({ length: TRACES }, (_, trace) => (0x100 + trace).toString(16)));
  });
});

test('MetricsQueryRange and MetricsQueryInstant count every span once', async () => {
  const query = '{ name = "reserve" } | count_over_time() by(status)';
  const at = { query, start: nanos(range.start), end: nanos(range.end) };
  const ranged = await streams.call('MetricsQueryRange', { ...at, step: nanos(60) });
  const series = (ranged.messages.at(-1)?.['series'] ?? []) as { labels: unknown; samples: { value?: number }[] }[];
  const sums = series.map(({ samples }) => samples.reduce((sum, { value = 0 }) => sum + value, 0));
  expect(sums.sort((a, b) => a - b)).toEqual([TRACES / 3, (2 * TRACES) / 3]);
  const { messages } = await streams.call('MetricsQueryInstant', at);
  const values = ((messages.at(-1)?.['series'] ?? []) as { value: number }[]).map(({ value }) => value);
  expect(values.sort((a, b) => a - b)).toEqual([TRACES / 3, (2 * TRACES) / 3]);
});

test('SearchTagsV2 and SearchTagValuesV2 know what is in the block and in the head', async () => {
  const tags = await streams.call('SearchTagsV2', range);
  const scopes = tags.messages.flatMap(({ scopes: some = [] }) => some as { name: string; tags: string[] }[]);
  expect(scopes.find(({ name }) => name === 'span')?.tags).toEqual(['number']);
  expect(scopes.find(({ name }) => name === 'resource')?.tags).toEqual(['service.name']);
  const values = await streams.call('SearchTagValuesV2', { tagName: 'resource.service.name', ...range });
  expect(values.messages.flatMap(({ tagValues = [] }) => tagValues as object[])).toEqual([
    { type: 'string', value: 'shop' },
    { type: 'string', value: 'stock' },
  ]);
});

describe('a call that cannot be answered', () => {
  test.each([
    ['no query', 'no query'],
    ['of 10,000 parentheses', `{ ${'('.repeat(10_000)}true${')'.repeat(10_000)} }`],
    ['of 10,000 opened parentheses', '('.repeat(10_000)],
    ['of 10,000 negations', `{ ${'!'.repeat(10_000)}true }`],
    ['of 10,000 sets in parentheses', `${'('.repeat(10_000)}{}${')'.repeat(10_000)}`],
    ['of 100 kB of operators', `{ ${'span.a + '.repeat(12_000)}1 = 1 }`],
    ['of half a megabyte', `{ name = "${'x'.repeat(500_000)}" }`],
  ])('is refused at once: %s', async (_, query) => {
    const startedMs = performance.now();
    for (const [method, request] of [
      ['Search', { Query: query, ...range }],
      ['MetricsQueryInstant', { query: `${query} | rate()`, start: nanos(range.start), end: nanos(range.end) }],
    ] as const) {
      await expect(streams.call(method, request), method).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });
});
