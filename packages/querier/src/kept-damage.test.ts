import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet } from '@vivace/block/testing';
import { hexToBytes, seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { SimulatedFiles } from '@vivace/kernel/testing';
import { blockKey, isImmutableKey, openManifest } from '@vivace/manifest';
import { createCachedStore, createMemoryStore, DiskCache, type ObjectStore } from '@vivace/object-store';
import { capturingLogger } from '@vivace/telemetry/testing';
import { expect, onTestFinished, test } from 'vitest';
import { Querier } from './querier.ts';

// Bytes that came damaged over the network are kept on the disk as they came: once that was noticed, they are not asked
// for again.

const TENANT = 'shop';
const BASE = 1_790_000_000_000_000_000n;
const TRACE = '7'.padStart(32, '0');
const { signal } = new AbortController();

async function setUp(tells: boolean) {
  const store = createMemoryStore();
  const random = seededRandom(3);
  const manifest = openManifest({ store, tenant: TENANT, clock: systemClock, random });
  const set = buildSet([{ traceId: TRACE, spanId: '9'.padStart(16, '0'), start: BASE, end: BASE + 5n }]);
  const encoded = encodeBlock(set, blockOrder(set), {});
  const { objects, sections } = layoutObjects(encoded, 1 << 20);
  const id = uuidV7(systemClock.nowMs(), random);
  for (const { name, parts } of objects) await store.put(blockKey(TENANT, id, name), parts);
  const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
  const content = { sections, rows, traces, minStart, maxEnd, filterBytes };
  const entry = { ...content, id, commitTimeMs: 1_790_000_000_000, level: 0, retentionClass: '', applied: 0 };
  await manifest.commit({ add: [entry], remove: [], cover: [] }, signal);

  const network = { damages: true, reads: 0 };
  const remote: ObjectStore = {
    ...store,
    get: async (key, options) => {
      const object = await store.get(key, options);
      if (!isImmutableKey(key)) return object;
      network.reads++;
      return network.damages ? { ...object, bytes: object.bytes.map((byte) => byte ^ 1) } : object;
    },
  };
  const cache = await DiskCache.open({ directory: '/cache', maxBytes: 1 << 24, files: new SimulatedFiles() });
  const querier = new Querier({
    heads: {
      findTrace: async () => ({ parts: [], problems: [] }),
      headViews: async () => ({ views: [], problems: [] }),
    },
    manifest: () => manifest,
    store: createCachedStore(remote, { cache, isImmutable: isImmutableKey }),
    ...(tells && { onDamaged: (key) => void cache.forget(key) }),
    cacheBytes: 1 << 20,
    filterCacheBytes: 1 << 20,
    workers: 1,
    keepsPartials: false,
    clock: systemClock,
    random,
    logger: capturingLogger().logger,
    onExit: (error) => {
      throw error;
    },
  });
  onTestFinished(() => querier.stop());
  const find = async () => {
    const answer = await querier.findTrace(TENANT, hexToBytes(TRACE), { maxBytes: 1 << 20, signal });
    await cache.settle();
    return { complete: answer.complete, bytes: answer.trace.length };
  };
  return { find, network };
}

test('a block that came damaged is read of the store by the next query, and then of the disk', async () => {
  const { find, network } = await setUp(true);
  expect(await find()).toEqual({ complete: false, bytes: 0 });
  network.damages = false;
  const whole = await find();
  expect(whole.complete).toBe(true);
  expect(whole.bytes).toBeGreaterThan(0);
});

test('without being told of it the disk would go on to give what came damaged', async () => {
  const { find, network } = await setUp(false);
  expect((await find()).complete).toBe(false);
  network.damages = false;
  const { reads } = network;
  expect((await find()).complete).toBe(false);
  expect(network.reads).toBe(reads);
});
