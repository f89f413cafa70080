import { existsSync } from 'node:fs';
import path from 'node:path';
import { fraction, seededRandom } from '@vivace/kernel';
import { createS3Store, type ObjectStore } from '@vivace/object-store';
import { type S3Target, startS3Target } from '@vivace/object-store/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { acknowledgedSpans, checkTraces, pause, someOf, startLoad } from './harness/load.ts';
import { s3Env } from './harness/s3-env.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { startTcpProxy } from './harness/tcp-proxy.ts';
import { flush } from './harness/traces-client.ts';

/*
 * The log in the bucket: `kill -9` at random moments under load, and every next process starts in an empty
 * directory. In the end every span that was acknowledged is there, once, and the log is empty.
 */

const KILLS = Number(process.env['VIVACE_TEST_KILLS'] ?? 6);
const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
/** Cuts by size and by age, commits and drops many times in a life of a second or two. */
const SMALL_AND_OFTEN = {
  VIVACE_MULTITENANCY_ENABLED: 'true',
  VIVACE_INGESTER_CUT_INTERVAL: '1s',
  VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: '1s',
  VIVACE_INGESTER_GENERATION_MAX_BYTES: '1MiB',
  VIVACE_INGESTER_HEADS_MAX_BYTES: '32MiB',
  VIVACE_INGESTER_WAL_SEGMENT_MAX_BYTES: '64KiB',
};

let target: S3Target;

beforeAll(async () => {
  target = await startS3Target();
});

afterAll(() => target.close());

/** A bucket of its own, and servers on it that each begin in an empty directory. */
async function bucketOf(prefix: string): Promise<{
  store: ObjectStore;
  start: (env?: Record<string, string>) => Promise<TestServer>;
  close: () => Promise<void>;
}> {
  const { bucket, endpoint, region, credentials } = target;
  const store = await createS3Store({ bucket, prefix, endpoint, region, credentials });
  const directories: ReturnType<typeof temporaryDirectory>[] = [];
  return {
    store,
    start: async (env = {}) => {
      const directory = temporaryDirectory();
      directories.push(directory);
      return startServer({ dataDir: directory.path, env: { ...s3Env(target, { endpoint, prefix }), ...env } });
    },
    close: async () => {
      for (const directory of directories) directory.remove();
      await store.close();
    },
  };
}

test(`what was acknowledged before ${KILLS} kills is there, once, although no directory survives`, {
  timeout: 120_000 + KILLS * 15_000,
}, async () => {
  console.info(`VIVACE_TEST_SEED=${SEED} VIVACE_TEST_KILLS=${KILLS}`);
  const random = seededRandom(SEED);
  const { store, start, close } = await bucketOf('killed');
  const load = startLoad({
    server: await start(SMALL_AND_OFTEN),
    random,
    tenants: ['shop', 'Shop', 'games'],
    clients: 6,
  });
  const { traces } = load;
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      // At times in the midst of the replay.
      await pause(random.u32() % 4 === 0 ? fraction(random) * 150 : 150 + fraction(random) * 1300);
      const { dataDir } = load.server;
      await load.server.kill();
      expect(existsSync(path.join(dataDir, 'wal'))).toBe(false);
      load.server = await start(SMALL_AND_OFTEN);
      // While the log may still be replayed: a whole answer, or none that looks like one.
      await checkTraces(load.server, someOf(traces, 10, random), { mayBePartial: true });
    }
    await pause(300);
    await load.end();
    await checkTraces(load.server, someOf(traces, traces.length / 4, random), { mayBePartial: true });
    await flush(load.server);
    await checkTraces(load.server, traces);
    const spans = acknowledgedSpans(load);
    console.info(`${spans} spans in ${traces.length} traces, ${load.taken} requests`);
    expect(spans).toBeGreaterThan(100 * KILLS);
    expect(await load.server.stop()).toBe(0);
    // Seals stay; they are 64 bytes.
    const { objects } = await store.list('wal/');
    expect(objects.filter(({ size }) => size !== 64)).toEqual([]);
    expect((await store.list('streams/')).objects).toEqual([]);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${load.server.output().slice(-4000)}`, {
      cause: error,
    });
  } finally {
    await load.server.kill();
    await load.end().catch(() => undefined);
    await close();
  }
});

test('what a process of another name has left is missing with a word until its lease is old, and then taken over', {
  timeout: 150_000,
}, async () => {
  const { store, start, close } = await bucketOf('other');
  const env = (name: string) => ({
    ...SMALL_AND_OFTEN,
    VIVACE_INGESTER_CUT_INTERVAL: '10m',
    VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: '10m',
    VIVACE_INGESTER_INSTANCE_NAME: name,
  });
  const random = seededRandom(SEED);
  const load = startLoad({ server: await start(env('first')), random, tenants: ['shop'], clients: 2 });
  try {
    await pause(1500);
    await load.end();
    await load.server.kill();
    load.server = await start(env('second'));
    await checkTraces(load.server, someOf(load.traces, 10, random), { mayBePartial: true });
    const deadline = Date.now() + 120_000;
    while ((await store.list('streams/')).objects.length > 1 && Date.now() < deadline) await pause(1000);
    await checkTraces(load.server, load.traces);
  } finally {
    await load.server.kill();
    await close();
  }
});

test('while the bucket is down spans are refused with a time to retry, and back again they are taken without a restart', {
  timeout: 120_000,
}, async () => {
  const { hostname, port } = new URL(target.endpoint);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const { start, close } = await bucketOf('down');
  const env = { ...SMALL_AND_OFTEN, VIVACE_STORAGE_TRACE_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}` };
  const random = seededRandom(SEED);
  const load = startLoad({ server: await start(env), random, tenants: ['shop'], clients: 4 });
  try {
    await pause(1000);
    await proxy.down();
    // What is on its way waits; what comes after a while is told to come again.
    await vi.waitUntil(() => load.refused > 0, { timeout: 40_000, interval: 100 });
    await proxy.up();
    const { taken } = load;
    await vi.waitUntil(() => load.taken > taken + 20, { timeout: 30_000, interval: 100 });
    await load.end();
    await checkTraces(load.server, load.traces);
    await flush(load.server);
    await checkTraces(load.server, load.traces);
    expect(await load.server.stop()).toBe(0);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${load.server.output().slice(-4000)}`, { cause: error });
  } finally {
    await load.server.kill();
    await load.end().catch(() => undefined);
    await proxy.close();
    await close();
  }
});
