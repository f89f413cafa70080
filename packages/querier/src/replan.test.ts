import { encodeBlock, layoutObjects } from '@vivace/block';
import { blockOrder, buildSet, type TestSpan } from '@vivace/block/testing';
import type { SearchResult } from '@vivace/block-query';
import { bytesToHex, hexToBytes, seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, blockKey, type Manifest, openManifest } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { createLogger } from '@vivace/telemetry';
import { parse, parseField } from '@vivace/traceql';
import { afterEach, expect, test } from 'vitest';
import type { HeadParts, HeadSource, HeadViews } from './head-source.ts';
import { Querier, type QuerierAnswer } from './querier.ts';

// Queries on a list of blocks that is out of date: others have put one block in the place of all, and the objects are gone.

const TENANT = 'shop';
const BASE = 1_790_000_000_000_000_000n;
const SECOND = 1_000_000_000n;
const BLOCKS = 20;
const signal = new AbortController().signal;
const range = { startUnixNano: BASE - SECOND, endUnixNano: BASE + 1000n * SECOND };
const queriers: Querier[] = [];

afterEach(async () => {
  for (const querier of queriers.splice(0)) await querier.stop();
});

const traceId = (number: number) => `${number + 1}`.padStart(32, '0');

/** A trace of its own, and one span of the trace that all blocks have a part of. */
const spansOf = (block: number): TestSpan[] =>
  [block, 99].map((trace) => ({
    traceId: traceId(trace),
    spanId: `${100 * block + trace + 1}`.padStart(16, '0'),
    start: BASE + BigInt(block) * SECOND,
    end: BASE + BigInt(block) * SECOND + 1000n,
    name: `op ${block}`,
  }));

async function setUp(heads: Partial<HeadSource> = {}, { cacheBytes = 1 << 24, filterCacheBytes = 1 << 22 } = {}) {
  const store = createMemoryStore();
  /** Reads of objects of blocks. */
  let gets = 0;
  const random = seededRandom(3);
  const open = () => openManifest({ store, tenant: TENANT, clock: systemClock, random });
  const put = async (spans: TestSpan[]): Promise<BlockEntry> => {
    const set = buildSet(spans);
    const encoded = encodeBlock(set, blockOrder(set), {});
    const { objects, sections } = layoutObjects(encoded, 0);
    const id = uuidV7(systemClock.nowMs(), random);
    for (const { name, parts } of objects) await store.put(blockKey(TENANT, id, name), parts);
    const { rows, traces, minStart, maxEnd, filterBytes } = encoded;
    const content = { sections, rows, traces, minStart, maxEnd, filterBytes };
    return { ...content, id, commitTimeMs: 1_790_000_000_000, level: 0, retentionClass: '', applied: 0 };
  };
  const other = open();
  const entries: BlockEntry[] = [];
  for (let block = 0; block < BLOCKS; block++) entries.push(await put(spansOf(block)));
  await other.commit({ add: entries, remove: [], cover: [] }, signal);

  let reads = 0;
  const mine = open();
  const counted: Manifest = {
    ...mine,
    atHand: (options) => {
      const atHand = mine.atHand(options);
      if (atHand !== undefined) reads++;
      return atHand;
    },
    snapshot: (...args) => {
      reads++;
      return mine.snapshot(...args);
    },
  };
  const querier = new Querier({
    heads: {
      findTrace: async () => ({ parts: [], problems: [] }),
      headViews: async () => ({ views: [], problems: [] }),
      ...heads,
    },
    manifest: () => counted,
    store: {
      ...store,
      get: (key, options) => {
        if (key.includes('/blocks/')) gets++;
        return store.get(key, options);
      },
    },
    cacheBytes,
    filterCacheBytes,
    workers: 1,
    keepsPartials: false,
    clock: systemClock,
    random,
    logger: createLogger({ level: 'error', format: 'json' }),
    onExit: (error) => {
      throw error;
    },
  });
  queriers.push(querier);
  await mine.snapshot(signal);
  return {
    querier,
    plans: () => reads,
    gets: () => gets,
    /** A block more; the version of the list that has it. */
    addBlock: async (block: number): Promise<number> => {
      await other.commit({ add: [await put(spansOf(block))], remove: [], cover: [] }, signal);
      return (await other.snapshot(signal)).version;
    },
    /** One block in the place of the oldest so many, whose objects go. */
    replaceOldest: async (count: number) => {
      const merged = await put(Array.from({ length: count }, (_, block) => spansOf(block)).flat());
      const remove = entries.slice(0, count).map(({ id }) => id);
      const result = await other.commit({ add: [merged], remove, cover: [] }, signal);
      expect(result.committed).toBe(true);
    },
    deleteOldest: async (count: number) => {
      for (const { id } of entries.slice(0, count)) {
        for (const { key } of (await store.list(`tenants/${TENANT}/blocks/${id.slice(-2)}/${id}/`)).objects) {
          await store.delete(key);
        }
      }
    },
  };
}

async function searchAll(querier: Querier): Promise<{ stages: number; last: QuerierAnswer<SearchResult> }> {
  const request = { query: parse('{}'), startUnixNano: undefined, endUnixNano: undefined };
  let last: QuerierAnswer<SearchResult> | undefined;
  let stages = 0;
  for await (const answer of querier.search(
    TENANT,
    { ...request, limit: 1000, spansPerSpanset: 0, after: undefined },
    range,
    signal,
  )) {
    last = answer;
    stages++;
  }
  return { stages, last: last as QuerierAnswer<SearchResult> };
}

const tracesOf = ({ result }: QuerierAnswer<SearchResult>) =>
  result.traces.map(({ traceId: id }) => bytesToHex(id)).sort();
const ALL = [...Array.from({ length: BLOCKS }, (_, block) => traceId(block)), traceId(99)].sort();

test.each([
  ['all of them, found at once', BLOCKS],
  ['the oldest, found when the search comes to them', 4],
])('a search whose blocks were replaced is planned anew, and whole: %s', async (_name, count) => {
  const { querier, plans, replaceOldest, deleteOldest } = await setUp();
  await replaceOldest(count);
  await deleteOldest(count);
  const { last } = await searchAll(querier);
  expect(last.problems).toEqual([]);
  expect(tracesOf(last)).toEqual(ALL);
  const shared = last.result.traces.find(({ traceId: id }) => bytesToHex(id) === traceId(99));
  expect(shared?.spansets[0]?.spans).toHaveLength(BLOCKS);
  expect(plans()).toBe(2);
});

test('so is a lookup', async () => {
  const { querier, plans, replaceOldest, deleteOldest } = await setUp();
  await replaceOldest(BLOCKS);
  await deleteOldest(BLOCKS);
  const found = await querier.findTrace(TENANT, hexToBytes(traceId(7)), { signal, maxBytes: 1 << 20 });
  expect([found.complete, found.trace.length > 0, plans()]).toEqual([true, true, 2]);
});

test('what is gone and replaced by nothing is told, after one more look, and the rest is there', async () => {
  const { querier, plans, deleteOldest } = await setUp();
  await deleteOldest(3);
  const { last } = await searchAll(querier);
  expect(last.problems).toHaveLength(3);
  expect(last.problems[0]).toMatch(/^block [0-9a-f-]{36} is gone from the store$/);
  expect(tracesOf(last)).toEqual(ALL.filter((id) => ![0, 1, 2].map(traceId).includes(id)));
  expect(plans()).toBe(2);
});

const lookUp = { maxBytes: 1 << 24, signal };

test('what is looked up in blocks while other processes are asked for heads counts only with a list that goes with their answer', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<HeadParts>();
  const heads = {
    isRemote: true,
    findTrace: () => {
      asked.resolve();
      return answer.promise;
    },
  };
  const { querier, addBlock } = await setUp(heads);
  const found = querier.findTrace(TENANT, hexToBytes(traceId(BLOCKS)), lookUp);
  await asked.promise;
  // The trace leaves the heads for a block, and the blocks were looked at before.
  answer.resolve({ parts: [], problems: [], minVersion: await addBlock(BLOCKS) });
  expect(await found).toMatchObject({ complete: true, problems: [] });
  expect((await found).trace.length).toBeGreaterThan(0);
});

test('a thread is asked once for what is looked up meanwhile: it reads as much as where nobody else is asked', async () => {
  const nothingKept = { cacheBytes: 0, filterCacheBytes: 0 };
  const readBy = async (heads: Partial<HeadSource>) => {
    const { querier, gets } = await setUp(heads, nothingKept);
    const { complete, trace } = await querier.findTrace(TENANT, hexToBytes(traceId(3)), lookUp);
    expect([complete, trace.length > 0]).toEqual([true, true]);
    return gets();
  };
  const once = await readBy({});
  expect(once).toBeGreaterThan(0);
  expect(await readBy({ isRemote: true })).toBe(once);
  // Nor is it kept: who asks again reads again.
  const { querier, gets } = await setUp({ isRemote: true }, nothingKept);
  for (let i = 0; i < 2; i++) await querier.findTrace(TENANT, hexToBytes(traceId(3)), lookUp);
  expect(gets()).toBe(2 * once);
});

test('blocks are looked at once where that list still goes with the heads', async () => {
  const { querier, plans } = await setUp({ isRemote: true });
  const { trace, complete } = await querier.findTrace(TENANT, hexToBytes(traceId(3)), lookUp);
  expect(complete).toBe(true);
  expect(trace.length).toBeGreaterThan(0);
  expect(plans()).toBe(2);
});

/** Heads of other processes that are expected to be empty, and asked until `answer` says what they have. */
function expectedHeads() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<HeadViews>();
  const heads: Partial<HeadSource> = {
    isRemote: true,
    expectedViews: () => ({ views: [], problems: [] }),
    headViews: () => {
      asked.resolve();
      return answer.promise;
    },
  };
  return { heads, asked: asked.promise, answer: answer.resolve };
}

test('a search that began before other processes said what their heads have sees what has left them since', async () => {
  const { heads, asked, answer } = expectedHeads();
  const { querier, addBlock, gets } = await setUp(heads);
  const found = searchAll(querier);
  await asked;
  await expect.poll(gets, { timeout: 20_000 }).toBeGreaterThan(0);
  answer({ views: [], problems: [], minVersion: await addBlock(BLOCKS) });
  const { last } = await found;
  expect(last.problems).toEqual([]);
  expect(tracesOf(last)).toEqual([...ALL, traceId(BLOCKS)].sort());
});

test.each(['search', 'tag values'])('where they have what was expected blocks are read once: %s', async (kind) => {
  const nothingKept = { cacheBytes: 0, filterCacheBytes: 0 };
  const field = parseField('name');
  const readBy = async (of: Partial<HeadSource>, isAnswered: (gets: () => number) => Promise<void>) => {
    const { querier, gets } = await setUp(of, nothingKept);
    const request = { field, filter: undefined, limit: 0 };
    const asking: Promise<unknown> =
      kind === 'search'
        ? searchAll(querier)
        : querier.query(TENANT, { kind: 'tagValues', request }, range, signal).then(({ result }) => result);
    await isAnswered(gets);
    const result = await asking;
    return { result, gets: gets() };
  };
  const before = await readBy({}, async () => undefined);
  const { heads, answer } = expectedHeads();
  const early = await readBy(heads, async (gets) => {
    await expect.poll(gets, { timeout: 20_000 }).toBeGreaterThan(0);
    answer({ views: [], problems: [] });
  });
  expect(before.gets).toBeGreaterThan(0);
  expect(early).toEqual(before);
});
