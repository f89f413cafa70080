import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet } from '@vivace/block/testing';
import { bytesToHex, type Clock, seededRandom, systemClock, uuidV7, VivaceError } from '@vivace/kernel';
import { blockKey, openManifest } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { capturingLogger } from '@vivace/telemetry/testing';
import { expect, test } from 'vitest';
import { Indexer } from './indexer.ts';
import { createSegmentBuilder } from './segment-builder.ts';

const { signal } = new AbortController();

/** So many times as fast as the system's. */
const clockOf = (speed: number): Clock => ({
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => speed * systemClock.monotonicMs(),
  sleep: (ms, either) => systemClock.sleep(ms / speed, either),
  after: (ms, callback) => systemClock.after(ms / speed, callback),
});

function setUp({ polls = false, speed = 100 } = {}) {
  const clock = clockOf(speed);
  const random = seededRandom(1);
  const memory = createMemoryStore({ clock });
  let failures = 0;
  let segmentPuts = 0;
  const store: ObjectStore = {
    ...memory,
    put: async (...put) => {
      if (put[0].includes('/traces/')) {
        if (failures-- > 0) throw new VivaceError('unavailable', 'store-unreachable', 'the store is down');
        segmentPuts++;
      }
      return memory.put(...put);
    },
  };
  const manifests = new Map<string, ReturnType<typeof openManifest>>();
  const manifest = (tenant: string) => {
    const open = manifests.get(tenant) ?? openManifest({ store, tenant, clock, random });
    manifests.set(tenant, open);
    return open;
  };
  const { logger, lines } = capturingLogger();
  const builder = createSegmentBuilder({
    store,
    seed: 1,
    onExit: (error) => {
      throw error;
    },
  });
  const indexer = new Indexer({ store, manifest, builder, clock, random, logger, polls });
  const commit = async (tenant: string): Promise<void> => {
    const traceId = bytesToHex(random.bytes(16));
    const set = buildSet([{ traceId, spanId: bytesToHex(random.bytes(8)), start: 1n, end: 2n }]);
    const { sections: _, ...facts } = encodeBlock(set, blockOrder(set));
    const { objects, sections } = layoutObjects(encodeBlock(set, blockOrder(set)));
    const id = uuidV7(clock.nowMs(), random);
    for (const { name, parts } of objects) await store.put(blockKey(tenant, id, name), parts);
    const entry = { ...facts, sections, id, commitTimeMs: clock.nowMs(), level: 0, retentionClass: '', applied: 0 };
    await manifest(tenant).commit({ add: [entry], remove: [], cover: [] }, signal);
  };
  /** How many ordinals the segments of a tenant know, once they know `ordinals`. */
  const indexed = async (tenant: string, ordinals: number): Promise<number> => {
    for (let left = 2000; ; left--) {
      const { segments } = await manifest(tenant).snapshot(signal);
      const count = segments.reduce((sum, { first, end }) => sum + end - first, 0);
      if (count >= ordinals || left === 0) return count;
      await systemClock.sleep(20);
    }
  };
  const stop = async (): Promise<void> => {
    await indexer.stop();
    await builder.stop();
  };
  const fail = (times: number) => void (failures = times);
  return { indexer, commit, indexed, stop, lines, fail, segmentPuts: () => segmentPuts };
}

test('what was committed before the start is indexed, of every tenant, and what comes later soon after it came', async () => {
  const { indexer, commit, indexed, stop } = setUp();
  await commit('one');
  await commit('two');
  await indexer.start();
  expect(await indexed('one', 1)).toBe(1);
  expect(await indexed('two', 1)).toBe(1);
  await commit('two');
  indexer.notify('two');
  expect(await indexed('two', 2)).toBe(2);
  await stop();
});

test('commits one upon another are indexed together', async () => {
  const { indexer, commit, indexed, stop, segmentPuts } = setUp({ speed: 10 });
  await indexer.start();
  const blocks = 6;
  for (let i = 0; i < blocks; i++) {
    await commit('one');
    indexer.notify('one');
  }
  expect(await indexed('one', blocks)).toBe(blocks);
  expect(segmentPuts()).toBe(1);
  await stop();
});

test('what other processes commit is found by looking, where it is asked to', async () => {
  const { indexer, commit, indexed, stop } = setUp({ polls: true });
  await commit('one');
  await indexer.start();
  expect(await indexed('one', 1)).toBe(1);
  await commit('one');
  expect(await indexed('one', 2)).toBe(2);
  await stop();
});

test('a store that fails is asked again', async () => {
  const { indexer, commit, indexed, stop, lines, fail } = setUp();
  await indexer.start();
  fail(1);
  await commit('one');
  indexer.notify('one');
  expect(await indexed('one', 1)).toBe(1);
  expect(lines.filter(({ msg }) => String(msg).includes('not up to date'))).toHaveLength(1);
  await stop();
});

test('it can be stopped while it works, and twice', async () => {
  const { indexer, commit, stop } = setUp();
  for (let i = 0; i < 5; i++) await commit(`tenant-${i}`);
  await indexer.start();
  await systemClock.sleep(15);
  await stop();
  await indexer.stop();
});
