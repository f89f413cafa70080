import { seededRandom, uuidV7 } from '@vivace/kernel';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { expect, test } from 'vitest';
import type { BlockEntry } from './block-entry.ts';
import { type Manifest, openManifest } from './manifest.ts';
import { segmentKey } from './paths.ts';
import { sweepTenant } from './sweep.ts';
import { makeEntry } from './testing/entries.ts';
import { createTestClock } from './testing/test-clock.ts';
import type { TraceSegment } from './trace-segment.ts';

const TENANT = 'one';
const { signal } = new AbortController();

function setUp() {
  const clock = createTestClock();
  const random = seededRandom(9);
  const store: ObjectStore = createMemoryStore({ clock });
  const open = (rootMaxBytes = 64 * 1024) => openManifest({ store, tenant: TENANT, clock, random, rootMaxBytes });
  const entry = (change: Partial<BlockEntry> = {}) => makeEntry(random, clock.nowMs(), change);
  const segment = (first: number, end: number): TraceSegment => ({
    id: uuidV7(clock.nowMs(), random),
    day: 0,
    first,
    end,
    holes: [],
    buckets: 1,
    stride: 512,
    entries: 3,
  });
  return { clock, store, open, entry, segment };
}

const none = { add: [], remove: [], cover: [] };
const ordinalsOf = async (manifest: Manifest): Promise<unknown> =>
  (await manifest.snapshot(signal, { maxAgeMs: 0 })).live.map(({ id, ordinals }) => [id, ordinals]);

test('blocks are numbered in the order of their commits, also across pages', async () => {
  const { open, entry } = setUp();
  const manifest = open(2048);
  for (let i = 0; i < 30; i++) await manifest.commit({ ...none, add: [entry(), entry()] }, signal);
  const { live } = await open().snapshot(signal);
  const numbers = live.map(({ ordinals }) => ordinals?.map(({ first, end }) => [first, end]));
  expect(numbers.sort((a, b) => (a?.[0]?.[0] as number) - (b?.[0]?.[0] as number))).toEqual(
    Array.from({ length: 60 }, (_, i) => [[i, i + 1]]),
  );
});

test('a block that replaces others has their ordinals, and one of its own where it has anything else', async () => {
  const { open, entry } = setUp();
  const manifest = open();
  const [a, b, c, d] = [entry(), entry(), entry(), entry()];
  await manifest.commit({ ...none, add: [a, b, c, d] }, signal);
  const [ab, abc, more] = [entry(), entry(), entry()];
  await manifest.commit({ add: [ab], remove: [a.id, b.id], cover: [] }, signal);
  await manifest.commit({ add: [abc], remove: [ab.id, d.id], cover: [] }, signal);
  expect(await ordinalsOf(manifest)).toEqual([
    [c.id, [{ first: 2, end: 3 }]],
    [
      abc.id,
      [
        { first: 0, end: 2 },
        { first: 3, end: 4 },
      ],
    ],
  ]);
  const stream = uuidV7(1_900_000_000_000, seededRandom(1));
  await manifest.commit({ add: [more], remove: [abc.id, c.id], cover: [{ stream, from: 0, to: 1 }] }, signal);
  expect(await ordinalsOf(manifest)).toEqual([[more.id, [{ first: 0, end: 5 }]]]);
});

test('a segment is committed once, whoever asks again', async () => {
  const { open, entry, segment } = setUp();
  const manifest = open();
  await manifest.commit({ ...none, add: [entry(), entry()] }, signal);
  const edit = { ...none, index: { add: [segment(0, 2)], remove: [] } };
  expect(await manifest.commit(edit, signal)).toEqual({ committed: true, version: 2 });
  expect(await open().commit(edit, signal)).toEqual({ committed: true, version: 2 });
  expect((await open().snapshot(signal)).segments).toEqual(edit.index.add);
});

test('segments that others have replaced, that overlap, or that know blocks which are not there are lost', async () => {
  const { open, entry, segment } = setUp();
  const manifest = open();
  await manifest.commit({ ...none, add: [entry(), entry(), entry()] }, signal);
  const old = segment(0, 2);
  await manifest.commit({ ...none, index: { add: [old], remove: [] } }, signal);
  const commit = (add: TraceSegment[], remove: string[] = []) =>
    open().commit({ ...none, index: { add, remove } }, signal);
  expect(await commit([segment(1, 3)])).toMatchObject({ committed: false, code: 'index' });
  expect(await commit([segment(2, 4)])).toMatchObject({ committed: false, code: 'index' });
  expect(await commit([segment(0, 3)], [old.id])).toMatchObject({ committed: true });
  expect(await commit([segment(0, 3)], [old.id])).toMatchObject({ committed: false, code: 'index' });
});

test('the sweep deletes segments that were replaced, and those that were never committed', async () => {
  const { clock, store, open, entry, segment } = setUp();
  const manifest = open();
  await manifest.commit({ ...none, add: [entry(), entry()] }, signal);
  const [replaced, live, orphan] = [segment(0, 1), segment(0, 2), segment(0, 2)];
  for (const { id } of [replaced, live, orphan]) await store.put(segmentKey(TENANT, id), [new Uint8Array(8)]);
  await manifest.commit({ ...none, index: { add: [replaced], remove: [] } }, signal);
  await manifest.commit({ ...none, index: { add: [live], remove: [replaced.id] } }, signal);
  const present = async () => (await store.list(`tenants/${TENANT}/traces/`)).objects.map(({ key }) => key).sort();
  const keys = (...segments: TraceSegment[]) => segments.map(({ id }) => segmentKey(TENANT, id)).sort();
  const sweep = () => sweepTenant({ manifest, store, oldestStream: async () => undefined, signal });
  await sweep();
  expect(await present()).toEqual(keys(replaced, live, orphan));
  clock.advance(50 * 3600 * 1000);
  await sweep();
  expect(await present()).toEqual(keys(live));
});
