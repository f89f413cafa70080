import path from 'node:path';
import { createS3Store, type ObjectStore } from '@vivace/object-store';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { encodeTraces } from '@vivace/otlp/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { fetchTraceAsGrafana } from './clients/grafana-trace.ts';
import { idOf, spanId } from './fixtures/fidelity-cases.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { startTcpProxy, type TcpProxy } from './harness/tcp-proxy.ts';
import { fetchTrace, flush, headBytes, readTrace, replayed, sendBytes } from './harness/traces-client.ts';

// The server with its blocks in a bucket and its log on the disk: MinIO where a Docker engine answers, else the embedded S3 server.

const PREFIX = 'traces/here';

let target: S3Target;
let proxy: TcpProxy;
let bucket: ObjectStore & { close(): Promise<void> };
let data: ReturnType<typeof temporaryDirectory>;
let server: TestServer;

beforeAll(async () => {
  target = await startS3Target();
  const { hostname, port } = new URL(target.endpoint);
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const { endpoint, region, credentials } = target;
  bucket = await createS3Store({ bucket: target.bucket, prefix: PREFIX, endpoint, region, credentials });
  data = temporaryDirectory();
  server = await start();
});

afterAll(async () => {
  await server.stop();
  await bucket.close();
  await proxy.close();
  await target.close();
  data.remove();
});

function start(): Promise<TestServer> {
  return startServer({
    dataDir: data.path,
    env: {
      ...s3Env(target, { endpoint: `http://127.0.0.1:${proxy.port}`, prefix: PREFIX }),
      VIVACE_INGESTER_WAL_BACKEND: 'disk',
    },
  });
}

const hexOf = (name: string) => Buffer.from(idOf(name)).toString('hex');

async function send(name: string): Promise<void> {
  const startTimeUnixNano = String(BigInt(Date.now()) * 1_000_000n);
  const spans = [1, 2, 3].map((number) => ({ traceId: idOf(name), spanId: spanId(number), name, startTimeUnixNano }));
  await sendBytes(server, encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

async function expectWhole(name: string): Promise<void> {
  const { spans, partialMessage } = await fetchTraceAsGrafana(server.http, hexOf(name));
  expect({ spans: spans.length, partialMessage }, name).toEqual({ spans: 3, partialMessage: undefined });
}

async function keys(): Promise<string[]> {
  return (await bucket.list('')).objects.map(({ key }) => key);
}

test('the start says where blocks go, and which directory must survive', () => {
  const report = server.output();
  expect(report).toContain(`s3://${target.bucket}/${PREFIX} at http://127.0.0.1:${proxy.port}`);
  expect(report).toMatch(/! Acknowledged spans are on this disk until they are in the bucket: .* must survive/);
  expect(report).toContain(path.join(data.path, 'wal'));
  expect(report).not.toContain(target.credentials.secretAccessKey);
});

test('the start probe leaves nothing in the bucket', async () => {
  expect(await keys()).toEqual([]);
});

test('a flush puts a small block as one object below the prefix, and a restart reads it', async () => {
  await send('in the bucket');
  await expectWhole('in the bucket');
  await flush(server);
  expect(await headBytes(server)).toBe(0);
  expect(await keys()).toEqual([
    expect.stringMatching(/^tenants\/single-tenant\/blocks\/[0-9a-f]{2}\/[0-9a-f-]{36}\/block$/),
    'tenants/single-tenant/root',
  ]);
  await expectWhole('in the bucket');
  expect(await server.stop()).toBe(0);
  server = await start();
  await replayed(server);
  await expectWhole('in the bucket');
});

test('what was acknowledged and not yet in the bucket survives kill -9 in the log', async () => {
  await send('only in the log');
  await server.kill();
  server = await start();
  await replayed(server);
  await expectWhole('only in the log');
  await expectWhole('in the bucket');
});

test('while the store is down spans are taken, heads are read, answers say what is missing; back again, all is well without a restart', async () => {
  await flush(server);
  await send('block not read yet');
  await flush(server);
  await send('in the head before');
  await proxy.down();
  await send('in the head after');

  // The list of blocks that is known is good for 5 s.
  await vi.waitFor(
    async () => {
      const { spans, partialMessage } = await fetchTraceAsGrafana(server.http, hexOf('in the head after'));
      expect(spans).toHaveLength(3);
      expect(partialMessage).toMatch(/the store did not answer \(ECONNREFUSED\)/);
    },
    { timeout: 15_000, interval: 500 },
  );
  const { spans } = await fetchTraceAsGrafana(server.http, hexOf('in the head before'));
  expect(spans).toHaveLength(3);
  const inBlock = await fetchTrace(server, hexOf('block not read yet'), 'v1', 'application/json');
  expect(inBlock.status).toBe(503);
  expect(inBlock.body.toString()).toMatch(/the store did not answer/);
  expect((await readTrace(server, hexOf('block not read yet'))).partial).toMatch(/the store did not answer/);
  expect((await fetch(`${server.http}/ready`)).status).toBe(200);

  let flushed = false;
  const flushing = flush(server).then(() => {
    flushed = true;
  });
  await send('while a flush waits');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(flushed).toBe(false);
  await expect(headBytes(server)).resolves.toBeGreaterThan(0);

  await proxy.up();
  await flushing;
  for (const name of ['in the head before', 'in the head after', 'block not read yet', 'while a flush waits']) {
    await vi.waitFor(() => expectWhole(name), { timeout: 10_000 });
  }
  await flush(server);
  expect(await headBytes(server)).toBe(0);
  await expectWhole('while a flush waits');
});

test('while the store stalls spans are taken, and an answer comes in time with what is in the heads', async () => {
  await send('in the head of a stalled store');
  proxy.stall();
  await send('taken while it stalls');
  // What is known of the root is good for 5 s.
  await new Promise((resolve) => setTimeout(resolve, 5200));
  const begin = performance.now();
  const { spans, partialMessage } = await fetchTraceAsGrafana(server.http, hexOf('in the head of a stalled store'));
  expect(spans).toHaveLength(3);
  expect(partialMessage).toMatch(/the store did not answer within 10 s/);
  expect(performance.now() - begin).toBeLessThan(20_000);
  await proxy.up();
  for (const name of ['in the head of a stalled store', 'taken while it stalls']) {
    await vi.waitFor(() => expectWhole(name), { timeout: 10_000 });
  }
});
