import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet } from '@vivace/block/testing';
import { seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { blockKey, openManifest } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { createLogger } from '@vivace/telemetry';
import { expect, onTestFinished, test } from 'vitest';
import { Querier } from '../querier.ts';

// Practice costs each thread seconds of CPU: a process that has nothing to answer from does not begin it.

const signal = new AbortController().signal;
const random = seededRandom(5);
const BASE = 1_790_000_000_000_000_000n;

/** A querier on a bucket of tenants that have a log alone, and of `withBlock` with a block, if there is one. */
async function setUp(tenants: readonly string[], withBlock?: string) {
  const store = createMemoryStore();
  const open = (tenant: string) => openManifest({ store, tenant, clock: systemClock, random });
  const asked: string[] = [];
  for (const tenant of tenants) {
    const cover = [{ stream: uuidV7(systemClock.nowMs(), random), from: 0, to: 1 }];
    expect((await open(tenant).commit({ add: [], remove: [], cover }, signal)).committed).toBe(true);
  }
  if (withBlock !== undefined) {
    const span = { traceId: '1'.padStart(32, '0'), spanId: '1'.padStart(16, '0'), start: BASE, end: BASE + 1000n };
    const set = buildSet([{ ...span, name: 'op' }]);
    const encoded = encodeBlock(set, blockOrder(set), {});
    const { objects, sections } = layoutObjects(encoded, 0);
    const id = uuidV7(systemClock.nowMs(), random);
    for (const { name, parts } of objects) await store.put(blockKey(withBlock, id, name), parts);
    const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
    const content = { sections, rows, traces, minStart, maxEnd, filterBytes };
    const add = [{ ...content, id, commitTimeMs: 1_790_000_000_000, level: 0, retentionClass: '', applied: 0 }];
    expect((await open(withBlock).commit({ add, remove: [], cover: [] }, signal)).committed).toBe(true);
  }
  const querier = new Querier({
    heads: {
      findTrace: async () => ({ parts: [], problems: [] }),
      headViews: async () => ({ views: [], problems: [] }),
    },
    manifest: (tenant) => {
      asked.push(tenant);
      return open(tenant);
    },
    store,
    cacheBytes: 1 << 24,
    filterCacheBytes: 1 << 22,
    workers: 1,
    keepsPartials: false,
    clock: systemClock,
    random,
    logger: createLogger({ level: 'error', format: 'json' }),
    onExit: (error) => {
      throw error;
    },
  });
  onTestFinished(() => querier.stop());
  const answers: string[] = [];
  await querier.practise({ use: async ({ kind }) => void answers.push(kind), signal });
  return { answers, asked };
}

test('nothing is asked for practice in an empty bucket', async () => {
  expect(await setUp([])).toEqual({ answers: [], asked: [] });
});

test('nor where tenants have nothing but a log, and no more than some are looked at', async () => {
  const tenants = Array.from({ length: 12 }, (_, i) => `tenant-${i}`);
  const { answers, asked } = await setUp(tenants);
  expect(answers).toEqual([]);
  expect(asked).toHaveLength(8);
  expect(new Set(asked).size).toBe(8);
});

test('where a tenant has a block, questions of each kind are asked about it, also if the ones before have none', async () => {
  const { answers, asked } = await setUp(['a', 'b'], 'c');
  expect(asked).toEqual(['a', 'b', 'c']);
  expect(new Set(answers)).toEqual(new Set(['trace', 'search', 'metrics', 'tags', 'tagValues']));
});
