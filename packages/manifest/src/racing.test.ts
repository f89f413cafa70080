import { type Random, seededRandom, uuidV7 } from '@vivace/kernel';
import { createScheduler, type Scheduler } from '@vivace/kernel/testing';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore, seededFaults } from '@vivace/object-store/testing';
import { expect, test } from 'vitest';
import { type Manifest, openManifest } from './manifest.ts';
import { makeEntry } from './testing/entries.ts';

// Two processes on one bucket. A seed decides in which order their calls reach it, and what goes wrong with them.

const TENANT = 'one';
const { signal } = new AbortController();

interface Stage {
  random: Random;
  scheduler: Scheduler;
  store: ObjectStore;
  /** A process of its own: another view of the same store. */
  open: (view?: ObjectStore) => Manifest;
  /** What `work` comes to when time and calls go on. */
  finish: <T>(work: Promise<T>) => Promise<T>;
}

function createStage(seed: number): Stage {
  const random = seededRandom(seed);
  const scheduler = createScheduler(random);
  const { clock } = scheduler;
  const store = createMemoryStore({ clock });
  return {
    random,
    scheduler,
    store,
    // A root so small that the races go through folding, too.
    open: (view = store) =>
      openManifest({ store: view, tenant: TENANT, clock, random, rootMaxBytes: 8192, pageMaxBytes: 4096 }),
    async finish(work) {
      let done = false;
      const watched = work.finally(() => {
        done = true;
      });
      watched.catch(() => undefined);
      await scheduler.run(() => done);
      return watched;
    },
  };
}

/** Requests and answers take as long as the seed says. */
function interleaved(store: ObjectStore, scheduler: Scheduler): ObjectStore {
  const around = async <T>(call: () => Promise<T>): Promise<T> => {
    await scheduler.pause();
    try {
      return await call();
    } finally {
      await scheduler.pause();
    }
  };
  return {
    get: (...args) => around(() => store.get(...args)),
    put: (...args) => around(() => store.put(...args)),
    delete: (...args) => around(() => store.delete(...args)),
    head: (...args) => around(() => store.head(...args)),
    list: (...args) => around(() => store.list(...args)),
    beginUpload: (...args) => around(() => store.beginUpload(...args)),
    endUploads: (...args) => around(() => store.endUploads(...args)),
  };
}

/** Covers a stream step by step, and returns the blocks that were committed and those that lost. */
async function coverSteps(manifest: Manifest, stream: string, steps: number, { random, scheduler }: Stage) {
  const won: string[] = [];
  const lost: string[] = [];
  for (let from = 0; from < steps; from++) {
    const entry = makeEntry(random, scheduler.clock.nowMs());
    const result = await manifest.commit({ add: [entry], remove: [], cover: [{ stream, from, to: from + 1 }] }, signal);
    if (!result.committed) expect(result.code).toBe('covered');
    (result.committed ? won : lost).push(entry.id);
  }
  return { won, lost };
}

/** Both processes cut the same stream, and one of their own each: of every step of the shared one, one wins. */
async function race(stage: Stage, views: readonly [ObjectStore, ObjectStore], steps: number): Promise<void> {
  const { open, random, scheduler, finish, store } = stage;
  const newStream = () => uuidV7(scheduler.clock.nowMs(), random);
  const shared = newStream();
  const own = [newStream(), newStream()] as const;
  const work = views.flatMap((view, i) => {
    const manifest = open(view);
    return [coverSteps(manifest, shared, steps, stage), coverSteps(manifest, own[i] as string, steps, stage)];
  });
  const [a, ownA, b, ownB] = await finish(Promise.all(work));
  expect([ownA?.lost, ownB?.lost]).toEqual([[], []]);
  // Both went through all the steps, and neither step had two winners or none.
  expect((a?.won.length ?? 0) + (b?.won.length ?? 0)).toBe(steps);
  expect((a?.lost.length ?? 0) + (b?.lost.length ?? 0)).toBe(steps);

  const { live, covered } = await open(store).snapshot(signal);
  const winners = [a, b, ownA, ownB].flatMap((each) => each?.won ?? []);
  expect(live.map(({ id }) => id).toSorted()).toEqual(winners.toSorted());
  expect(covered).toEqual(new Map([shared, ...own].map((stream) => [stream, steps])));
}

test.each([1, 2, 3])(
  'of 200 commits from two processes each is in the manifest once, or lost (seed %i)',
  async (seed) => {
    const stage = createStage(seed);
    const view = interleaved(stage.store, stage.scheduler);
    await race(stage, [view, view], 50);
  },
);

test.each([4, 5, 6, 7])('so it is while answers get lost and puts land late (seed %i)', async (seed) => {
  const stage = createStage(seed);
  const { clock } = stage.scheduler;
  const faulty = [0, 1].map(() =>
    createFaultyStore(interleaved(stage.store, stage.scheduler), {
      clock,
      plan: seededFaults({ random: stage.random, rate: 0.3, maxDelayMs: 3000 }),
    }),
  ) as [ReturnType<typeof createFaultyStore>, ReturnType<typeof createFaultyStore>];
  await race(stage, faulty, 15);
  const before = await stage.open().snapshot(signal);
  await stage.finish(Promise.all(faulty.map((store) => store.settle())));
  // What lands now comes too late to change anything.
  expect(await stage.open().snapshot(signal)).toEqual(before);
});
