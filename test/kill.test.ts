import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fraction, seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { acknowledgedSpans, checkTraces, pause, someOf, startLoad } from './harness/load.ts';
import { startServer, temporaryDirectory } from './harness/server.ts';
import { flush } from './harness/traces-client.ts';

/*
 * `kill -9` at random moments under load, on one data directory. Clients do what exporters do: they send a request
 * again, to the next process too, until it is taken. In the end every span that was acknowledged is there, once.
 */

const KILLS = Number(process.env['VIVACE_TEST_KILLS'] ?? 10);
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

test(`what was acknowledged before ${KILLS} kills is there, once`, { timeout: 60_000 + KILLS * 6000 }, async () => {
  console.info(`VIVACE_TEST_SEED=${SEED} VIVACE_TEST_KILLS=${KILLS}`);
  const random = seededRandom(SEED);
  const directory = temporaryDirectory();
  const start = () => startServer({ dataDir: directory.path, env: SMALL_AND_OFTEN });
  const load = startLoad({ server: await start(), random, tenants: ['shop', 'Shop', 'games'], clients: 6 });
  const { traces } = load;
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      // At times in the midst of the replay.
      await pause(random.u32() % 4 === 0 ? fraction(random) * 150 : 150 + fraction(random) * 1300);
      await load.server.kill();
      load.server = await start();
      // While the log may still be replayed: a whole answer, or none that looks like one.
      await checkTraces(load.server, someOf(traces, 10, random), { mayBePartial: true });
    }
    await pause(300);
    await load.end();
    await checkTraces(load.server, someOf(traces, traces.length / 4, random));
    await flush(load.server);
    await checkTraces(load.server, traces);
    const blocks = countBlocks(directory.path);
    const spans = acknowledgedSpans(load);
    console.info(`${spans} spans in ${traces.length} traces, ${load.taken} requests, ${blocks} blocks`);
    expect(spans).toBeGreaterThan(100 * KILLS);
    expect(blocks).toBeGreaterThan(KILLS);
    expect(streamsIn(directory.path)).toBeLessThan(2);
    expect(await load.server.stop()).toBe(0);
  } catch (error) {
    throw new Error(`seed ${SEED}: ${(error as Error).message}\n${load.server.output().slice(-4000)}`, {
      cause: error,
    });
  } finally {
    await load.server.kill();
    await load.end().catch(() => undefined);
    directory.remove();
  }
});

function countBlocks(dataDir: string): number {
  const names = readdirSync(path.join(dataDir, 'store'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /blocks.[0-9a-f]{2}.[^/\\]+$/.test(name)).length;
}

function streamsIn(dataDir: string): number {
  return readdirSync(path.join(dataDir, 'wal'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
}
