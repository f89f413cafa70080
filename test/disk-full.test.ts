import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom } from '@vivace/kernel';
import { afterAll, expect, test, vi } from 'vitest';
import { acknowledgedSpans, checkTraces, someOf, startLoad } from './harness/load.ts';
import { startServer, temporaryDirectory } from './harness/server.ts';
import { flush, headBytes } from './harness/traces-client.ts';

/*
 * A data directory on a file system of 64 MB that gets full under load. Mounting needs root; without it the log's
 * and the store's own tests on simulated files stand for this one (packages/wal, packages/object-store).
 */

const MIB = 1024 * 1024;
const HEADS_MAX_BYTES = 24 * MIB;
const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? 1);

const directory = temporaryDirectory();
const dataDir = path.join(directory.path, 'data');
const mounted = mountSmall();
if (!mounted) console.info('not run: a file system of 64 MB cannot be mounted here (Linux and root only)');

afterAll(() => {
  if (mounted) execFileSync('umount', ['--lazy', dataDir]);
  directory.remove();
});

function mountSmall(): boolean {
  mkdirSync(dataDir);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', dataDir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Takes all the space there is, as something else on the disk may. */
function fill(name: string): string {
  const { bavail, bsize } = statfsSync(dataDir);
  const file = path.join(dataDir, name);
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  return file;
}

test.runIf(mounted)(
  'a full disk refuses writes with a time to retry, reads go on, space brings writes back',
  async () => {
    const random = seededRandom(SEED);
    const env = {
      VIVACE_MULTITENANCY_ENABLED: 'true',
      VIVACE_INGESTER_CUT_INTERVAL: '2s',
      VIVACE_INGESTER_SMALL_TENANT_CUT_INTERVAL: '2s',
      VIVACE_INGESTER_GENERATION_MAX_BYTES: '2MiB',
      VIVACE_INGESTER_HEADS_MAX_BYTES: `${HEADS_MAX_BYTES}`,
      VIVACE_INGESTER_WAL_SEGMENT_MAX_BYTES: '256KiB',
    };
    const server = await startServer({ dataDir, env });
    const load = startLoad({ server, random, tenants: ['shop', 'games'], clients: 4 });
    try {
      await vi.waitUntil(() => load.taken > 100, { timeout: 20_000 });
      const fillers: string[] = [];
      for (let round = 0; round < 8; round++) {
        // What blocks have freed of the log meanwhile is taken, too.
        fillers.push(fill(`filler-${round}`));
        const { refused } = load;
        await vi.waitUntil(() => load.refused > refused + 5, { timeout: 20_000 });
        await checkTraces(server, someOf(load.traces, 20, random));
        expect(await headBytes(server)).toBeLessThan(1.5 * HEADS_MAX_BYTES);
      }
      for (const filler of fillers) rmSync(filler);
      const { taken } = load;
      await vi.waitUntil(() => load.taken > taken + 100, { timeout: 20_000 });
      await load.end();
      await checkTraces(server, load.traces);
      await flush(server);
      await checkTraces(server, load.traces);
      console.info(`${acknowledgedSpans(load)} spans, ${load.taken} requests taken, ${load.refused} refused`);
      expect(await server.stop()).toBe(0);
      const again = await startServer({ dataDir, env });
      await checkTraces(again, load.traces);
      await again.stop();
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${server.output().slice(-4000)}`, { cause: error });
    } finally {
      await load.end().catch(() => undefined);
      await server.kill();
    }
  },
);
