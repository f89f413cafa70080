import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { toVivaceError } from '@vivace/kernel';
import { createTestAuthority, type TestAuthority } from '@vivace/kernel/testing';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import type { HeadsServing } from '@vivace/rpc';
import { startHeadsServer } from '@vivace/rpc/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { ask, countOf, metricOf, type Parameters, search } from './harness/query-client.ts';
import { openQueryStreams } from './harness/query-streams.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

/*
 * From a query-frontend over a querier to an ingester, each a process of its own: who leaves and what is over its time
 * ends all the way down, answers are streamed, and with TLS of both sides nobody reads who may not.
 */

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

function deployment(prefix: string) {
  const env = s3Env(target, { endpoint: target.endpoint, prefix });
  return async (kind: string, more: Record<string, string> = {}): Promise<TestServer> => {
    const directory = temporaryDirectory();
    const server = await startServer({
      dataDir: directory.path,
      flags: ['--target', kind],
      env: { ...env, VIVACE_INGESTER_INSTANCE_NAME: kind, ...more },
    });
    onTestFinished(async () => {
      await server.kill();
      directory.remove();
    });
    return server;
  };
}

/** An ingester whose heads never answer, and what it hears of who asks. */
async function silentIngester() {
  let asked = 0;
  const reasons: { kind: string; atMs: number }[] = [];
  const wait = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      asked++;
      signal.addEventListener('abort', () => {
        reasons.push({ kind: toVivaceError(signal.reason).kind, atMs: performance.now() });
        reject(signal.reason as Error);
      });
    });
  const serving: HeadsServing = {
    rows: (_, signal) => wait(signal),
    trace: (_, __, signal) => wait(signal),
  };
  const { address } = await startHeadsServer(serving);
  return { address, reasons, asked: () => asked };
}

/** A querier could read the log of an ingester that does not talk to it: here it has no room for that. */
const NO_LOGS = { VIVACE_QUERIER_LOG_HEADS_BYTES: '1KiB' };
const nanos = (ms: number) => `${ms}000000`;
const QUESTIONS: [string, string, Parameters][] = [
  ['a lookup by id', `/api/traces/${'ab'.repeat(16)}`, {}],
  ['a search', '/api/search', { q: '{ name = "a" }' }],
  ['a question of metrics', '/api/metrics/query_range', { q: '{ } | rate()', since: '15m' }],
  ['a list of names', '/api/v2/search/tags', {}],
  ['a list of values', '/api/v2/search/tag/span.a/values', {}],
];

describe('what nobody waits for any more', () => {
  test('ends at the ingester when its client leaves the frontend, and when its time is over', {
    timeout: 120_000,
  }, async () => {
    const start = deployment('left');
    const ingester = await silentIngester();
    const querier = await start('querier', { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.address });
    const [frontend, hasty] = await Promise.all([
      start('query-frontend', { VIVACE_QUERIER_CLIENT_ADDRESSES: querier.grpc }),
      start('query-frontend', {
        VIVACE_QUERIER_CLIENT_ADDRESSES: querier.grpc,
        VIVACE_QUERY_FRONTEND_API_TIMEOUT: '1s',
      }),
    ]);
    /** Leaves when the ingester is asked; how long after that it hears of it. */
    const leave = async (begin: (signal: AbortSignal) => Promise<unknown>): Promise<string> => {
      const before = ingester.reasons.length;
      const asked = ingester.asked();
      const client = new AbortController();
      const ended = begin(client.signal);
      await vi.waitUntil(() => ingester.asked() > asked, { timeout: 10_000 });
      const leftMs = performance.now();
      client.abort();
      await ended;
      await vi.waitUntil(() => ingester.reasons.length > before, { timeout: 5000 });
      const { kind, atMs } = ingester.reasons.at(-1) as { kind: string; atMs: number };
      expect(atMs - leftMs).toBeLessThan(2000);
      return kind;
    };
    for (const [name, route, parameters] of QUESTIONS) {
      const kind = await leave((signal) => ask(frontend, route, parameters, { signal }).catch(() => undefined));
      expect(kind, name).toBe('canceled');
    }
    const streams = openQueryStreams(frontend);
    onTestFinished(() => streams.close());
    const range = { start: Math.floor(Date.now() / 1000) - 60, end: Math.floor(Date.now() / 1000) };
    for (const [method, request] of [
      ['Search', { Query: '{ }', ...range }],
      ['MetricsQueryInstant', { query: '{ } | rate()', start: nanos(Date.now() - 60_000), end: nanos(Date.now()) }],
    ] as const) {
      const kind = await leave(async (signal) =>
        expect(await streams.cancel(method, request, signal)).toBe(status.CANCELLED),
      );
      expect(kind, method).toBe('canceled');
    }
    await vi.waitUntil(async () => (await metricOf(frontend, 'vivace_query_running')) === 0);

    for (const [name, route, parameters] of QUESTIONS) {
      const before = ingester.reasons.length;
      const startMs = performance.now();
      const answer = await ask(hasty, route, parameters);
      expect([answer.status, name]).toEqual([504, name]);
      await vi.waitUntil(() => ingester.reasons.length > before, { timeout: 5000 });
      expect((ingester.reasons.at(-1)?.atMs ?? 0) - startMs, name).toBeLessThan(4000);
    }
    expect(ingester.reasons).toHaveLength(ingester.asked());
    expect(querier.output()).not.toContain('"level":50');
  });
});

/** Settings of a listener and of a client that show a certificate of an authority, and ask for one. */
function mutualTls(directory: string, name: string, authority: TestAuthority) {
  const file = (kind: string, text: string): string => {
    const to = path.join(directory, `${name}-${kind}.pem`);
    writeFileSync(to, text);
    return to;
  };
  const ca = file('ca', authority.certificate);
  const server = authority.issueServer();
  const client = authority.issueClient(name);
  const clientOf = (section: string, shows = true) => ({
    [`VIVACE_${section}_GRPC_CLIENT_CONFIG_TLS_ENABLED`]: 'true',
    [`VIVACE_${section}_GRPC_CLIENT_CONFIG_TLS_CA_PATH`]: ca,
    ...(shows && {
      [`VIVACE_${section}_GRPC_CLIENT_CONFIG_TLS_CERT_PATH`]: file('client', client.certificate),
      [`VIVACE_${section}_GRPC_CLIENT_CONFIG_TLS_KEY_PATH`]: file('client-key', client.key),
    }),
  });
  return {
    listener: {
      VIVACE_SERVER_GRPC_TLS_CERT_FILE: file('server', server.certificate),
      VIVACE_SERVER_GRPC_TLS_KEY_FILE: file('server-key', server.key),
      VIVACE_SERVER_GRPC_TLS_CLIENT_CA_FILE: ca,
    },
    toIngesters: (shows?: boolean) => clientOf('INGESTER_CLIENT', shows),
    toQueriers: (shows?: boolean) => clientOf('QUERIER_CLIENT', shows),
  };
}

test('with TLS of both sides answers are whole and streamed, and who shows no right certificate reads nothing', {
  timeout: 120_000,
}, async () => {
  const directory = temporaryDirectory();
  onTestFinished(() => directory.remove());
  const ours = mutualTls(directory.path, 'ours', createTestAuthority());
  const theirs = mutualTls(directory.path, 'theirs', createTestAuthority());
  const start = deployment('tls');
  const ingester = await start('ingester', ours.listener);
  const toIngester = { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.grpc };
  const querier = (more: Record<string, string>) => start('querier', { ...toIngester, ...ours.listener, ...more });
  const frontend = ({ grpc }: TestServer, more: Record<string, string>) =>
    start('query-frontend', { VIVACE_QUERIER_CLIENT_ADDRESSES: grpc, ...more });
  const [distributor, known, anonymous, foreign] = await Promise.all([
    start('distributor', { ...toIngester, ...ours.toIngesters() }),
    querier(ours.toIngesters()),
    querier({ ...ours.toIngesters(false), ...NO_LOGS }),
    querier({ ...theirs.toIngesters(), ...NO_LOGS }),
  ]);
  const nowMs = Date.now();
  const spans = Array.from({ length: 60 }, (_, i) => ({
    trace: (0x100 + i).toString(16),
    span: (i + 1).toString(16),
    startMs: nowMs - 1000 * (i + 1),
    name: i % 2 === 0 ? 'even' : 'odd',
    attributes: { number: i },
  }));
  await sendBytes(distributor, encodePlainSpans(spans.slice(30)));
  await flush(ingester);
  await sendBytes(distributor, encodePlainSpans(spans.slice(0, 30)));

  const whole = await frontend(known, ours.toQueriers());
  const { traces, partial } = await search(whole, '{ }', { limit: 100 });
  expect([traces.length, partial]).toEqual([60, undefined]);
  expect(await countOf(whole, '{ name = "odd" } | count_over_time()')).toBe(30);
  expect((await ask(whole, `/api/traces/${'100'.padStart(32, '0')}`, {})).status).toBe(200);

  const streams = openQueryStreams(whole);
  onTestFinished(() => streams.close());
  const range = { start: Math.floor(nowMs / 1000) - 600, end: Math.ceil(nowMs / 1000) + 1 };
  const streamed = await streams.call('Search', { Query: '{ }', Limit: 100, ...range });
  const ids = streamed.messages.flatMap(({ traces: some = [] }) => some as { traceID: string }[]);
  expect(ids.map(({ traceID }) => traceID)).toEqual(traces.map(({ traceID }) => traceID));
  expect(streamed.trailers['x-vivace-partial']).toBeUndefined();
  const page = await streams.call('Search', { Query: '{ }', Limit: 20, ...range });
  const cursor = page.trailers['x-vivace-cursor'] as string;
  const next = await streams.call('Search', { Query: '{ }', Limit: 100, ...range }, { 'x-vivace-cursor': cursor });
  expect(next.messages.flatMap(({ traces: some = [] }) => some as object[])).toHaveLength(40);
  const at = { query: '{ } | count_over_time() by(name)', start: nanos(nowMs - 600_000), end: nanos(nowMs + 1000) };
  const instant = await streams.call('MetricsQueryInstant', at);
  const counted = instant.messages.at(-1) as { series: { value: number }[] };
  expect(counted.series.map(({ value }) => value)).toEqual([30, 30]);
  const names = await streams.call('SearchTagsV2', range);
  expect(JSON.stringify(names.messages)).toContain('number');
  await expect(streams.call('Search', { Query: '{ wrong', ...range })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
  });

  // Of what an ingester holds alone these say that it is missing; and nobody takes them for a querier's caller.
  for (const [name, server] of [
    ['shows nothing', anonymous],
    ['of another authority', foreign],
  ] as const) {
    const blind = await frontend(server, ours.toQueriers());
    const answer = await ask(blind, '/api/search', { q: '{ }', partial: 'true', limit: 100 });
    expect([answer.status, name], answer.text).toEqual([200, name]);
    expect(answer.partial, name).toMatch(/no ingester answers for what is not in blocks yet/);
    expect((await ask(blind, '/api/search', { q: '{ }' })).status).toBe(503);
  }
  await Promise.all(
    [{}, ours.toQueriers(false), theirs.toQueriers()].map(async (more) => {
      const refused = await ask(await frontend(known, more), '/api/search', { q: '{ }', partial: 'true' });
      expect(refused.status, refused.text).toBe(503);
    }),
  );
});
