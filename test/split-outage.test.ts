import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { pause } from './harness/load.ts';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { ask, countOf, metricOf } from './harness/query-client.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { startTcpProxy } from './harness/tcp-proxy.ts';
import { sendBytes } from './harness/traces-client.ts';

/*
 * A query-frontend whose only querier goes away and comes back at the same address: connections are reset and refused
 * as those of a process that was killed.
 */

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

async function start(kind: string, more: Record<string, string> = {}): Promise<TestServer> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory.remove());
  const env = { ...s3Env(target, { endpoint: target.endpoint, prefix: 'outage' }), ...more };
  const server = await startServer({ dataDir: directory.path, flags: ['--target', kind], env });
  onTestFinished(() => server.kill());
  return server;
}

test('questions of the time without a querier, and those that it was lost with, are answered when it is back', {
  timeout: 120_000,
}, async () => {
  const ingester = await start('ingester');
  const toIngester = { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.grpc };
  const [distributor, querier] = await Promise.all([start('distributor', toIngester), start('querier', toIngester)]);
  const [host, port] = querier.grpc.split(':') as [string, string];
  const proxy = await startTcpProxy({ host, port: Number(port) });
  onTestFinished(() => proxy.close());
  const frontend = await start('query-frontend', { VIVACE_QUERIER_CLIENT_ADDRESSES: `127.0.0.1:${proxy.port}` });
  const startMs = Date.now() - 1000;
  await sendBytes(distributor, encodePlainSpans([{ trace: 'abc', span: '1', startMs, name: 'a', attributes: {} }]));
  const askAll = async (): Promise<void> => {
    const [trace, found, count] = await Promise.all([
      ask(frontend, `/api/traces/${'abc'.padStart(32, '0')}`, {}),
      ask(frontend, '/api/search', { q: '{ name = "a" }' }),
      countOf(frontend, '{ } | count_over_time()'),
    ]);
    expect([trace.status, found.status, count], `${trace.text} ${found.text}`).toEqual([200, 200, 1]);
    expect(found.text).toContain('abc');
  };
  await askAll();

  await proxy.down();
  await Promise.all([askAll(), pause(2000).then(() => proxy.up())]);

  // It has taken them and says nothing; then its connection breaks, and it is away for a second.
  const before = await metricOf(frontend, 'vivace_query_frontend_retries_total');
  proxy.stall();
  await Promise.all([
    askAll(),
    (async () => {
      await pause(1000);
      await proxy.down();
      await pause(1000);
      await proxy.up();
    })(),
  ]);
  expect(await metricOf(frontend, 'vivace_query_frontend_retries_total')).toBe(before + 3);

  await proxy.down();
  const beginMs = performance.now();
  const response = await fetch(`${frontend.http}/api/search?q={}`);
  expect(performance.now() - beginMs).toBeGreaterThan(4900);
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await response.text()).toMatch(/^no querier could be reached in 5 s: 127.0.0.1:[0-9]+ cannot be reached: /);
  const client = new AbortController();
  const left = ask(frontend, '/api/search', { q: '{ }' }, { signal: client.signal }).catch(() => 'left');
  await expect.poll(() => metricOf(frontend, 'vivace_query_frontend_stranded')).toBe(1);
  client.abort();
  expect(await left).toBe('left');
  await expect.poll(() => metricOf(frontend, 'vivace_query_frontend_stranded')).toBe(0);
  await expect.poll(() => metricOf(frontend, 'vivace_query_running')).toBe(0);
  await proxy.up();
  await askAll();
});
