import { type S3Server, startS3Server } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { encodePlainSpans } from './harness/plain-spans.ts';
import { metricOf } from './harness/query-client.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { sendBytes } from './harness/traces-client.ts';

/*
 * A distributor and two ingesters, of which one does not answer soon: because the bucket is slow, then its spans are
 * acknowledged when they are durable and are not stored by the other too; or because it hangs, then the other has them
 * before a sender gives up.
 */

const SENDER_WAITS_MS = 10_000;
const MOVED = 'vivace_distributor_moved_slices_total';

let s3: S3Server;

beforeAll(async () => {
  s3 = await startS3Server({ buckets: ['traces'] });
});

afterAll(() => s3.close());

async function startAll(prefix: string) {
  const start = async (target: string, name: string, more: Record<string, string> = {}): Promise<TestServer> => {
    const directory = temporaryDirectory();
    const server = await startServer({
      dataDir: directory.path,
      flags: ['--target', target],
      env: {
        VIVACE_STORAGE_TRACE_BACKEND: 's3',
        VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces',
        VIVACE_STORAGE_TRACE_S3_PREFIX: prefix,
        VIVACE_STORAGE_TRACE_S3_ENDPOINT: s3.endpoint,
        VIVACE_STORAGE_TRACE_S3_REGION: s3.region,
        VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
        VIVACE_INGESTER_INSTANCE_NAME: name,
        ...more,
      },
    });
    onTestFinished(async () => {
      await server.kill();
      directory.remove();
    });
    return server;
  };
  const ingesters = await Promise.all([start('ingester', 'one'), start('ingester', 'two')]);
  const distributor = await start('distributor', 'distributor', {
    VIVACE_INGESTER_CLIENT_ADDRESSES: ingesters.map(({ grpc }) => grpc).join(','),
  });
  // Both have a stream, and the connections are made.
  await sendBytes(distributor, requestOf(0));
  return { ingesters, distributor };
}

/** 200 traces, so that each ingester gets some of them. */
function requestOf(number: number): Uint8Array {
  return encodePlainSpans(
    Array.from({ length: 200 }, (_, i) => ({
      trace: (0x1000 * (number + 1) + i).toString(16),
      span: (i + 1).toString(16),
      startMs: Date.now() - 1000,
      name: 'work',
    })),
  );
}

/** How long the sender of a request waits; throws where it is not taken. */
async function send(distributor: TestServer, number: number): Promise<number> {
  const startMs = performance.now();
  await sendBytes(distributor, requestOf(number));
  return performance.now() - startMs;
}

test('what a slow bucket takes after six seconds is acknowledged then, and stored once', {
  timeout: 90_000,
}, async () => {
  const { distributor } = await startAll('slow');
  const puts: string[] = [];
  s3.fault = ({ method, key }) => {
    if (method !== 'PUT' || !key.includes('/wal/')) return undefined;
    puts.push(key);
    return { kind: 'delay', delayMs: 6000 };
  };
  onTestFinished(() => {
    s3.fault = () => undefined;
  });
  const took = await send(distributor, 1);
  expect(took).toBeGreaterThan(5900);
  expect(took).toBeLessThan(SENDER_WAITS_MS);
  expect(await metricOf(distributor, MOVED)).toBe(0);
  expect(puts).toHaveLength(2);
});

test('what an ingester that hangs does not take another one does, before the sender gives up', {
  timeout: 90_000,
}, async () => {
  const { ingesters, distributor } = await startAll('hangs');
  const { pid } = ingesters[0] as TestServer;
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(pid, 'SIGCONT'));
  expect(await send(distributor, 1)).toBeLessThan(SENDER_WAITS_MS);
  expect(await metricOf(distributor, MOVED)).toBe(1);
  // From then on it is left alone.
  expect(await send(distributor, 2)).toBeLessThan(4000);
});
