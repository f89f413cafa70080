import { type Files, isKind, type Random, seededRandom } from '@vivace/kernel';
import { createScheduler, SimulatedFiles } from '@vivace/kernel/testing';
import { createFileStore } from '@vivace/object-store';
import { describe, expect, test } from 'vitest';
import { overridden } from './testing/overridden.ts';
import { type Rig, type RigOptions, startRig } from './testing/rig.ts';
import { spanRequest, spansOf, storedSpans, traceIdOf } from './testing/spans.ts';

/*
 * The whole path of a span on one machine: log, heads, encoder, file store and manifest, all real, in one thread
 * over simulated files. Several lives, each ended at a random step by a power loss, or at times by a kill; the seed
 * decides every wait. In between and in the end all that was acknowledged must be found, once.
 */

const POINTS = Number(process.env['VIVACE_TEST_POWER_LOSSES'] ?? 1000);
const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? 1);
const LIVES = 9;
const TENANTS = ['one', 'two'];
const START_MS = 1_700_000_000_000;
const never = new AbortController().signal;

class BrokenPromise extends Error {}

interface Variant {
  wrap?: (files: Files) => Files;
  change?: NonNullable<RigOptions['change']>;
}

interface History {
  random: Random;
  /** Acknowledged spans and their tenants. */
  acknowledged: Map<number, string>;
  spans: number;
}

interface Life extends History {
  rig: Rig;
  store: Awaited<ReturnType<typeof createFileStore>>;
  alive: () => boolean;
  sleep: (ms: number) => Promise<void>;
}

/** Plays the lives of one seed; throws when something that was acknowledged is missing or there twice. */
async function play(seed: number, { wrap = (files) => files, change }: Variant = {}): Promise<number> {
  const random = seededRandom(seed);
  const history: History = { random, acknowledged: new Map(), spans: 0 };
  // In a third of the seeds the disk fails now and then.
  const faultChance = seed % 3 === 0 ? 10 : 0;
  const fault = () => (random.u32() % 10_000 < faultChance ? (random.u32() % 2 === 0 ? 'EIO' : 'ENOSPC') : undefined);
  let disk = new SimulatedFiles();
  // A directory whose own sync failed looks to the next process as any other: nobody can help there.
  for (const directory of ['/data/wal', '/data/store']) await disk.makeDirectory(directory);
  for (let life = 1; life <= LIVES; life++) {
    const last = life === LIVES;
    const scheduler = createScheduler(random, { startMs: START_MS + life * 1_000_000 });
    const options = { pause: () => scheduler.pause(), ...(!last && { fault }) };
    disk = random.u32() % 4 === 0 ? disk.kill(options) : disk.crash(random, options);
    let alive = true;
    let ended = false;
    let failure: unknown;
    const running = live(history, {
      files: wrap(disk),
      scheduler,
      alive: () => alive,
      last,
      ...(change && { change }),
    });
    running
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        ended = true;
      });
    const steps = last ? 200_000 : 20 + (random.u32() % (random.u32() % 3 === 0 ? 1500 : 400));
    for (let step = 0; step < steps && !ended && (await scheduler.step()); step++);
    alive = false;
    if (failure instanceof BrokenPromise) throw failure;
    if (last && failure !== undefined) throw failure;
    if (last && !ended) throw new BrokenPromise('the last life did not come to its end');
  }
  return history.acknowledged.size;
}

interface LifeOptions {
  files: Files;
  scheduler: ReturnType<typeof createScheduler>;
  alive: () => boolean;
  last: boolean;
  change?: NonNullable<RigOptions['change']>;
}

async function live(history: History, { files, scheduler, alive, last, change }: LifeOptions): Promise<void> {
  const { random } = history;
  const { clock } = scheduler;
  const store = await createFileStore({ directory: '/data/store', files, clock });
  const rig = await startRig({
    files,
    store,
    clock,
    random,
    pause: () => scheduler.pause(),
    limits: { generationMaxBytes: random.u32() % 2 === 0 ? 1 : 1024 * 1024 },
    logLimits: { segmentMaxBytes: 1500, probeIntervalMs: 10 },
    ...(change && { change }),
  });
  const life: Life = { ...history, rig, store, alive, sleep: (ms) => clock.sleep(ms) };
  if (last) {
    await checkFound(life);
    await rig.ingester.flush(never);
    await checkStored(life);
    await rig.stop();
    return;
  }
  const clients = TENANTS.map((tenant) => sendForever(history, life, tenant));
  await Promise.all([checkForever(life), ...clients]);
}

async function sendForever(history: History, { rig, random, alive, sleep }: Life, tenant: string): Promise<void> {
  while (alive()) {
    const spans = Array.from({ length: 1 + (random.u32() % 3) }, () => ++history.spans);
    const padding = random.u32() % 400;
    const pushed = rig.ingester.push(tenant, spanRequest(spans, { startMs: START_MS, padding }), never).then(
      () => {
        if (alive()) for (const span of spans) history.acknowledged.set(span, tenant);
      },
      async (error: unknown) => {
        if (!isKind(error, 'unavailable')) throw new BrokenPromise(`a push failed: ${String(error)}`);
        await sleep(random.u32() % 20);
      },
    );
    if (random.u32() % 3 > 0) await pushed;
    else pushed.catch(() => undefined);
    if (random.u32() % 12 === 0) await rig.ingester.flush(never).catch(() => undefined);
    await sleep(random.u32() % 10);
  }
}

async function checkForever(life: Life): Promise<void> {
  while (life.alive()) {
    await life.sleep(1000);
    try {
      await checkFound(life);
    } catch (error) {
      // The disk fails at times; what is wrong with an answer is another thing.
      if (error instanceof BrokenPromise && life.alive()) throw error;
    }
  }
}

/** What was acknowledged is in heads or blocks, read in this order, unless the answer says that it is not whole. */
async function checkFound({ rig, store, acknowledged }: Life): Promise<void> {
  for (const tenant of TENANTS) {
    const expected = [...acknowledged].filter(([, of]) => of === tenant).map(([span]) => span);
    const found = new Set<number>();
    for (const trace of new Set(expected.map((span) => Math.floor(span / 10) * 10))) {
      const { parts, problems } = await rig.ingester.findTrace(tenant, traceIdOf(trace));
      if (problems.length > 0) return;
      for (const span of spansOf(parts)) found.add(span);
    }
    for (const span of await storedSpans(rig.manifest(tenant), store)) found.add(span);
    const lost = expected.filter((span) => !found.has(span));
    if (lost.length > 0) throw new BrokenPromise(`acknowledged spans of ${tenant} are not found: ${lost.join(' ')}`);
  }
}

/** After a flush: all that was acknowledged is in blocks, nothing is there twice, and the log is empty. */
async function checkStored({ rig, store, acknowledged }: Life): Promise<void> {
  for (const tenant of TENANTS) {
    const stored = await storedSpans(rig.manifest(tenant), store);
    const once = new Set(stored);
    const twice = stored.filter((span, i) => stored[i - 1] === span);
    if (twice.length > 0) throw new BrokenPromise(`spans of ${tenant} are there twice: ${twice.join(' ')}`);
    const lost = [...acknowledged].filter(([span, of]) => of === tenant && !once.has(span)).map(([span]) => span);
    if (lost.length > 0) throw new BrokenPromise(`acknowledged spans of ${tenant} are lost: ${lost.join(' ')}`);
  }
  const segments = rig.log.streams().flatMap((state) => state.segments);
  if (segments.length > 0) throw new BrokenPromise(`${segments.length} segments of the log were not dropped`);
}

test(`nothing acknowledged is lost or doubled by ${POINTS} power losses`, { timeout: 300_000 }, async () => {
  let acknowledged = 0;
  const seeds = Math.ceil(POINTS / (LIVES - 1));
  console.info(`VIVACE_TEST_SEED=${SEED}: seeds ${SEED} to ${SEED + seeds - 1}`);
  for (let seed = SEED; seed < SEED + seeds; seed++) {
    try {
      acknowledged += await play(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  console.info(`${acknowledged} spans acknowledged`);
  expect(acknowledged).toBeGreaterThan(10 * seeds);
});

const broken: Record<string, Variant> = {
  'syncs of the log do nothing': {
    wrap: (files) =>
      overridden(files, {
        create: async (file) => {
          const handle = await files.create(file);
          return file.startsWith('/data/wal') ? { ...handle, sync: async () => undefined } : handle;
        },
      }),
  },
  'syncs of objects do nothing': {
    wrap: (files) =>
      overridden(files, {
        create: async (file) => {
          const handle = await files.create(file);
          return file.startsWith('/data/store') ? { ...handle, sync: async () => undefined } : handle;
        },
      }),
  },
  'segments are dropped before the commit': {
    change: ({ log, manifest }) => ({
      manifest: (tenant) => {
        const real = manifest(tenant);
        return overridden(real, {
          commit: async (edit, signal) => {
            for (const { stream, to } of edit.cover) await log.drop({ stream, segment: to }).catch(() => undefined);
            return real.commit(edit, signal);
          },
        });
      },
    }),
  },
};

describe('the simulation notices when', () => {
  test.for(Object.keys(broken))('%s', { timeout: 120_000 }, async (name) => {
    let noticed: unknown;
    for (let seed = SEED; noticed === undefined && seed < SEED + 40; seed++) {
      noticed = await play(seed, broken[name]).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(noticed).toBeInstanceOf(Error);
  });
});
