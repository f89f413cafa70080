import { readFileSync } from 'node:fs';
import { fraction, seededRandom } from '@vivace/kernel';
import { type S3Fault, startS3Server } from '@vivace/object-store/testing';
import { expect, test, vi } from 'vitest';
import { acknowledgedSpans, checkTraces, pause, someOf, startLoad } from './harness/load.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, headBytes } from './harness/traces-client.ts';

/* A bucket that is slow, that fails, and that takes nothing for a while, under load. */

const MIB = 1024 * 1024;
const HEADS_MAX_BYTES = 4 * MIB;
const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? 1);

test('a store that takes nothing is answered by back-pressure and not by memory', { timeout: 120_000 }, async () => {
  const random = seededRandom(SEED);
  const directory = temporaryDirectory();
  const s3 = await startS3Server({ buckets: ['traces'] });
  const server = await startServer({
    dataDir: directory.path,
    env: {
      VIVACE_STORAGE_TRACE_BACKEND: 's3',
      VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces',
      VIVACE_STORAGE_TRACE_S3_ENDPOINT: s3.endpoint,
      VIVACE_STORAGE_TRACE_S3_REGION: s3.region,
      VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      VIVACE_MULTITENANCY_ENABLED: 'true',
      VIVACE_INGESTER_CUT_INTERVAL: '1s',
      VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: '1s',
      VIVACE_INGESTER_GENERATION_MAX_BYTES: '1MiB',
      VIVACE_INGESTER_HEADS_MAX_BYTES: `${HEADS_MAX_BYTES}`,
    },
  });
  const load = startLoad({ server, random, tenants: ['shop', 'games'], clients: 6, pauseMs: 2 });
  try {
    s3.fault = ({ method }) => unreliable(method, fraction(random));
    await pause(2500);
    await checkTraces(server, someOf(load.traces, 20, random), { mayBePartial: true });

    s3.fault = ({ method, key }) =>
      method === 'PUT' && key.includes('/blocks/') ? { kind: 'status', status: 503, code: 'SlowDown' } : undefined;
    await vi.waitUntil(() => load.refused > 0, { timeout: 60_000, interval: 100 });
    const memory = residentBytes(server);
    for (let round = 0; round < 3; round++) {
      await checkTraces(server, someOf(load.traces, 20, random));
      expect(await headBytes(server)).toBeLessThan(1.5 * HEADS_MAX_BYTES);
      await pause(1200);
    }
    expect(load.refused).toBeGreaterThan(1);
    if (memory !== undefined) expect(residentBytes(server)).toBeLessThan(memory + 64 * MIB);

    s3.fault = () => undefined;
    const { taken } = load;
    await vi.waitUntil(() => load.taken > taken + 100, { timeout: 30_000 });
    await load.end();
    await checkTraces(server, load.traces);
    await flush(server);
    expect(await headBytes(server)).toBe(0);
    await checkTraces(server, load.traces);
    console.info(`${acknowledgedSpans(load)} spans, ${load.taken} requests taken, ${load.refused} refused`);
    expect(await server.stop()).toBe(0);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${server.output().slice(-4000)}`, { cause: error });
  } finally {
    await load.end().catch(() => undefined);
    await server.kill();
    await s3.close();
    directory.remove();
  }
});

function unreliable(method: string, dice: number): S3Fault | undefined {
  if (dice < 0.1) return { kind: 'status', status: 503, code: 'SlowDown' };
  if (dice < 0.2) return { kind: 'reset' };
  if (dice < 0.3 && method === 'PUT') return { kind: 'done-no-answer' };
  if (dice < 0.6) return { kind: 'delay', delayMs: 300 };
  return undefined;
}

/** Undefined where the system does not say. */
function residentBytes({ pid }: TestServer): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
