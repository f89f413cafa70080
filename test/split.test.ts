import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom } from '@vivace/kernel';
import { createTestAuthority } from '@vivace/kernel/testing';
import { createS3Store } from '@vivace/object-store';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { acknowledgedSpans, checkTraces, type Load, pause, startLoad } from './harness/load.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush } from './harness/traces-client.ts';

/*
 * A distributor and two ingesters, each a process of its own, on one bucket. What was acknowledged is there, once, in
 * whatever way an ingester ends; the bucket is read by a process with all services, started afterwards.
 */

const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
const TENANTS = ['shop', 'Shop', 'games'];

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

/** Starts processes on one part of the bucket; what a failed test has started is killed. */
function deployment(prefix: string) {
  const env = { ...s3Env(target, { endpoint: target.endpoint, prefix }), VIVACE_MULTITENANCY_ENABLED: 'true' };
  const started: TestServer[] = [];
  const start = async (name: string, flags: string[], more: Record<string, string> = {}): Promise<TestServer> => {
    const directory = temporaryDirectory();
    onTestFinished(() => directory.remove());
    const server = await startServer({
      dataDir: directory.path,
      flags,
      env: { ...env, VIVACE_INGESTER_INSTANCE_NAME: name, ...more },
    });
    started.push(server);
    onTestFinished(() => server.kill());
    return server;
  };
  return {
    ingester: (name: string, more: Record<string, string> = {}) => start(name, ['--target', 'ingester'], more),
    distributor: (ingesters: readonly TestServer[], more: Record<string, string> = {}) =>
      start('distributor', ['--target', 'distributor'], {
        VIVACE_INGESTER_CLIENT_ADDRESSES: ingesters.map(({ grpc }) => grpc).join(','),
        ...more,
      }),
    all: (name: string) => start(name, []),
    /** Streams of the log that nobody has closed. */
    streams: async () => {
      const { bucket, endpoint, region, credentials } = target;
      const store = await createS3Store({ bucket, prefix, endpoint, region, credentials });
      const { objects } = await store.list('streams/').finally(() => void store.close());
      return objects.length;
    },
    output: () => started.map((server) => server.output().slice(-3000)).join('\n---\n'),
  };
}

async function checkAll(load: Load, reader: TestServer): Promise<void> {
  await flush(reader);
  await checkTraces(reader, load.traces);
}

async function valueOf(server: TestServer, line: string): Promise<number> {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1) ?? 0);
}

test('spans go to both ingesters, the rest goes on when one is killed, and what was acknowledged is there once', {
  timeout: 240_000,
}, async () => {
  console.info(`VIVACE_TEST_SEED=${SEED}`);
  const { ingester, distributor, all, streams, output } = deployment('killed');
  try {
    const [first, second] = await Promise.all([ingester('one'), ingester('two')]);
    const front = await distributor([first, second]);
    const load = startLoad({ server: front, random: seededRandom(SEED), tenants: TENANTS, clients: 6 });
    await pause(3000);
    const took = [
      await valueOf(first, 'vivace_ingester_head_bytes'),
      await valueOf(second, 'vivace_ingester_head_bytes'),
    ];
    expect(Math.min(...took)).toBeGreaterThan(Math.max(...took) / 4);
    await first.kill();
    const before = load.taken;
    await pause(3000);
    expect(load.taken).toBeGreaterThan(before + 20);
    await load.end();
    expect(await valueOf(front, 'vivace_distributor_moved_slices_total')).toBeGreaterThan(0);
    await second.kill();
    expect(await front.stop()).toBe(0);
    // Of the same name as one of them, whose log it takes over at once; the other's when its lease is old.
    const reader = await all('one');
    await vi.waitUntil(async () => (await streams()) === 1, { timeout: 120_000, interval: 1000 });
    await checkAll(load, reader);
    expect(acknowledgedSpans(load)).toBeGreaterThan(1000);
    console.info(`${acknowledgedSpans(load)} spans, ${load.taken} requests taken, ${load.refused} refused`);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});

test('an ingester that is stopped loses nothing and fails no write', { timeout: 120_000 }, async () => {
  const { ingester, distributor, all, output } = deployment('stopped');
  try {
    const delay = { VIVACE_SHUTDOWN_DELAY: '1s' };
    const [first, second] = await Promise.all([ingester('one', delay), ingester('two')]);
    const front = await distributor([first, second]);
    for (const server of [first, second, front]) {
      expect((await fetch(`${server.http}/ready`)).status).toBe(200);
      const config = await (await fetch(`${server.http}/status/config`)).text();
      expect(config).toContain(`target: ${server === front ? 'distributor' : 'ingester'}\n`);
    }
    expect((await fetch(`${front.http}/flush`, { method: 'POST' })).status).toBe(400);
    const load = startLoad({ server: front, random: seededRandom(SEED), tenants: TENANTS, clients: 6 });
    await pause(2000);
    const stopped = first.stop();
    // Those who look at it are told before it stops.
    await vi.waitUntil(async () => (await fetch(`${first.http}/ready`)).status === 503, { timeout: 900, interval: 20 });
    expect(await stopped).toBe(0);
    await pause(2000);
    await load.end();
    expect(load.refused).toBe(0);
    expect(await second.stop()).toBe(0);
    expect(await front.stop()).toBe(0);
    // Both have cut what they had: the log is empty, and there is nobody to wait for.
    await checkAll(load, await all('three'));
    expect(acknowledgedSpans(load)).toBeGreaterThan(500);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});

test('between processes with TLS, an ingester takes nothing from who shows no certificate', {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory();
  onTestFinished(() => directory.remove());
  const file = (name: string, text: string): string => {
    const to = path.join(directory.path, name);
    writeFileSync(to, text);
    return to;
  };
  const authority = createTestAuthority();
  const ca = file('ca.pem', authority.certificate);
  const own = authority.issueServer();
  const client = authority.issueClient('distributor');
  const { ingester, distributor, output } = deployment('tls');
  try {
    const one = await ingester('one', {
      VIVACE_SERVER_GRPC_TLS_CERT_FILE: file('server.pem', own.certificate),
      VIVACE_SERVER_GRPC_TLS_KEY_FILE: file('server.key', own.key),
      VIVACE_SERVER_GRPC_TLS_CLIENT_CA_FILE: ca,
    });
    const tls = {
      VIVACE_INGESTER_CLIENT_GRPC_CLIENT_CONFIG_TLS_ENABLED: 'true',
      VIVACE_INGESTER_CLIENT_GRPC_CLIENT_CONFIG_TLS_CA_PATH: ca,
    };
    const shown = {
      VIVACE_INGESTER_CLIENT_GRPC_CLIENT_CONFIG_TLS_CERT_PATH: file('client.pem', client.certificate),
      VIVACE_INGESTER_CLIENT_GRPC_CLIENT_CONFIG_TLS_KEY_PATH: file('client.key', client.key),
    };
    const [known, anonymous] = await Promise.all([distributor([one], { ...tls, ...shown }), distributor([one], tls)]);
    const random = seededRandom(SEED);
    const refused = startLoad({ server: anonymous, random, tenants: TENANTS, clients: 1 });
    const load = startLoad({ server: known, random, tenants: TENANTS, clients: 3 });
    await vi.waitUntil(() => load.taken > 20 && refused.refused > 3, { timeout: 30_000, interval: 50 });
    await load.end();
    await refused.end();
    expect([load.refused, refused.taken]).toEqual([0, 0]);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${output()}`, { cause: error });
  }
});
