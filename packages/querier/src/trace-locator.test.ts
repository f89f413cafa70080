import { seededRandom, systemClock, uuidV7 } from '@vivace/kernel';
import { type BlockEntry, type ManifestSnapshot, segmentKey, type TraceSegment } from '@vivace/manifest';
import { createMemoryStore } from '@vivace/object-store';
import { createCountingStore } from '@vivace/object-store/testing';
import { mergeSegments, sortPostings, traceHash } from '@vivace/trace-index';
import { expect, test } from 'vitest';
import { TraceLocator } from './trace-locator.ts';

const TENANT = 'shop';
const BLOCKS = 50;
const { signal } = new AbortController();
const all = (): boolean => true;

/** A segment of many traces, or of few, and blocks of which the last is in none. */
async function setUp(traces: number, cacheBytes = 1 << 24) {
  const random = seededRandom(4);
  const store = createMemoryStore({ clock: systemClock });
  const ids = Array.from({ length: traces }, () => random.bytes(16));
  const id = uuidV7(1_760_000_000_000, random);
  const made = mergeSegments({
    id,
    first: 0,
    end: BLOCKS - 1,
    segments: [],
    postings: [
      sortPostings(
        Uint32Array.from(ids, traceHash),
        Float64Array.from(ids, (_, i) => i % (BLOCKS - 1)),
      ),
    ],
    current: (ordinal) => ordinal,
  });
  await store.put(segmentKey(TENANT, id), [made.bytes]);
  const { bytes: _, ...place } = made;
  const segment: TraceSegment = { ...place, day: 0, holes: [] };
  const live = Array.from(
    { length: BLOCKS },
    (__, i) => ({ id: `block ${i}`, ordinals: [{ first: i, end: i + 1 }], maxEnd: 0n }) as unknown as BlockEntry,
  );
  const snapshot: ManifestSnapshot = { tenant: TENANT, version: 1, live, covered: new Map(), segments: [segment] };
  const counting = createCountingStore(store);
  const problems: string[] = [];
  const damaged: string[] = [];
  const locator = new TraceLocator({
    store: counting,
    clock: systemClock,
    cacheBytes,
    onProblem: (_tenant, problem) => problems.push(problem),
    onDamaged: (key) => damaged.push(key),
  });
  const locate = async (traceId: Uint8Array, isAsked: (entry: BlockEntry) => boolean = all): Promise<string[]> =>
    (await locator.locate(snapshot, traceId, isAsked, signal)).entries.map((entry) => entry.id).sort();
  const holders = (at: number): string[] => [`block ${at % (BLOCKS - 1)}`, `block ${BLOCKS - 1}`].sort();
  return { store, ids, segment, counting, problems, damaged, locate, holders, random };
}

test('a small segment is read once, for every trace', async () => {
  const { ids, counting, locate, holders, random } = await setUp(500);
  for (let at = 0; at < 100; at++) expect(await locate(ids[at] as Uint8Array)).toEqual(holders(at));
  expect(await locate(random.bytes(16))).toEqual([`block ${BLOCKS - 1}`]);
  expect(counting.counts).toMatchObject({ gets: 1, ranges: 0 });
});

test('of a large segment a bucket is read, once, and all of it when many were asked for', async () => {
  const { ids, counting, locate, holders } = await setUp(200_000);
  for (let round = 0; round < 3; round++) expect(await locate(ids[0] as Uint8Array)).toEqual(holders(0));
  expect(counting.counts).toMatchObject({ gets: 0, ranges: 1 });
  expect(counting.counts.bytesRead).toBeLessThanOrEqual(16 * 1024);
  for (let at = 0; at < 400; at++) expect(await locate(ids[at] as Uint8Array)).toEqual(holders(at));
  expect(counting.counts.gets).toBe(1);
  expect(counting.counts.ranges).toBeLessThanOrEqual(32);
});

test('without memory for the whole it goes on with buckets', async () => {
  const { ids, counting, locate, holders } = await setUp(200_000, 1 << 20);
  for (let at = 0; at < 400; at++) expect(await locate(ids[at] as Uint8Array)).toEqual(holders(at));
  expect(counting.counts.gets).toBe(0);
  // Some buckets were dropped and are read again.
  expect(counting.counts.ranges).toBeGreaterThan(100);
});

test('several lookups at the same time read it once', async () => {
  const { ids, counting, locate } = await setUp(200_000);
  await Promise.all(Array.from({ length: 10 }, () => locate(ids[7] as Uint8Array)));
  expect(counting.counts).toMatchObject({ gets: 0, ranges: 1 });
});

test.each([500, 200_000])(
  'a segment of %i traces that is damaged or gone makes every block one that may have it',
  async (traces) => {
    const { store, ids, segment, locate, holders, problems, damaged } = await setUp(traces);
    const key = segmentKey(TENANT, segment.id);
    const { bytes } = await store.get(key);
    const everything = Array.from({ length: BLOCKS }, (_, i) => `block ${i}`).sort();
    await store.put(key, [bytes.map((byte) => byte ^ 4)]);
    expect(await locate(ids[3] as Uint8Array)).toEqual(everything);
    expect(problems[0]).toContain(segment.id);
    expect(damaged).toEqual([key]);
    await store.delete(key);
    expect(await locate(ids[3] as Uint8Array)).toEqual(everything);
    expect(damaged).toHaveLength(1);
    // What was damaged is not kept.
    await store.put(key, [bytes]);
    expect(await locate(ids[3] as Uint8Array)).toEqual(holders(3));
  },
);

test('only blocks that are asked about are named, and segments of others are not read', async () => {
  const { ids, counting, locate } = await setUp(500);
  expect(await locate(ids[0] as Uint8Array, ({ id }) => id === `block ${BLOCKS - 1}`)).toEqual([`block ${BLOCKS - 1}`]);
  expect(counting.counts.gets).toBe(0);
  expect(await locate(ids[0] as Uint8Array, ({ id }) => id === 'block 5')).toEqual([]);
  expect(counting.counts.gets).toBe(1);
});
