import { seededRandom, type VivaceError } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { createCountingStore } from '@vivace/object-store/testing';
import { expect, test } from 'vitest';
import type { BlockEntry } from './block-entry.ts';
import { type ManifestOptions, openManifest } from './manifest.ts';
import { encodeEntryPage } from './page.ts';
import { pageKey, rootKey } from './paths.ts';
import { makeEntry } from './testing/entries.ts';
import { createTestClock } from './testing/test-clock.ts';

const TENANT = 'one';
const DAY_MS = 86_400_000;
const { signal } = new AbortController();

function setUp() {
  const clock = createTestClock();
  const random = seededRandom(5);
  const store = createMemoryStore({ clock });
  const open = (options: Partial<ManifestOptions> = {}) =>
    openManifest({ store, tenant: TENANT, clock, random, ...options });
  const counting = () => createCountingStore(store);
  const entry = (change: Partial<BlockEntry> = {}) => makeEntry(random, clock.nowMs(), change);
  const entries = (count: number) => Array.from({ length: count }, () => entry());
  return { clock, store, open, counting, entry, entries };
}

const adding = (...add: BlockEntry[]) => ({ add, remove: [], cover: [] });

test('a tenant that has nothing costs one get and has version 0', async () => {
  const { open, counting } = setUp();
  const store = counting();
  expect(await open({ store }).snapshot(signal)).toMatchObject({ version: 0, live: [], covered: new Map() });
  expect(store.counts).toMatchObject({ gets: 1, lists: 0, heads: 0 });
});

test('what others commit is seen after 5 s, or at once with an age of 0', async () => {
  const { clock, open, entry } = setUp();
  const reader = open();
  const writer = open();
  const seen = async (maxAgeMs?: number) =>
    (await reader.snapshot(signal, maxAgeMs === undefined ? {} : { maxAgeMs })).live.length;
  expect(await seen()).toBe(0);
  await writer.commit(adding(entry()), signal);
  expect(await seen()).toBe(0);
  // The clock has not moved since the root was read.
  expect(await seen(0)).toBe(1);
  await writer.commit(adding(entry()), signal);
  clock.advance(5001);
  expect(await seen()).toBe(2);
});

test('what is at hand is the last snapshot, while its root is the newest known and young enough', async () => {
  const { clock, open, entry } = setUp();
  const manifest = open();
  expect(manifest.atHand({ maxAgeMs: Number.POSITIVE_INFINITY })).toBeUndefined();
  const first = await manifest.snapshot(signal);
  expect(manifest.atHand()).toBe(first);
  expect(manifest.atHand({ maxAgeMs: 0 })).toBeUndefined();
  clock.advance(5001);
  expect(manifest.atHand()).toBeUndefined();
  expect(manifest.atHand({ maxAgeMs: 6000 })).toBe(first);
  // Nobody has made a snapshot of the root that is known now.
  await manifest.commit(adding(entry()), signal);
  expect(manifest.atHand({ maxAgeMs: 6000 })).toBeUndefined();
  const second = await manifest.snapshot(signal);
  expect([second.live.length, manifest.atHand() === second]).toEqual([1, true]);
});

test('what this process commits is seen at once, without asking', async () => {
  const { open, counting, entry } = setUp();
  const store = counting();
  const manifest = open({ store });
  await manifest.commit(adding(entry()), signal);
  const { gets } = store.counts;
  expect((await manifest.snapshot(signal)).live).toHaveLength(1);
  expect(store.counts.gets).toBe(gets);
});

test('a root that has not changed is not sent again', async () => {
  const { open, counting, entries } = setUp();
  await open().commit(adding(...entries(50)), signal);
  const store = counting();
  const manifest = open({ store });
  await manifest.snapshot(signal);
  store.reset();
  expect((await manifest.snapshot(signal, { maxAgeMs: 0 })).live).toHaveLength(50);
  expect(store.counts).toMatchObject({ gets: 1, bytesRead: 0 });
});

test('pages are read once, and again only when they change', async () => {
  const { open, counting, entry, entries } = setUp();
  const writer = open({ pageMaxBytes: 20_000 });
  await writer.commit(adding(...entries(1000)), signal);
  const pages = (await writer.inspect(signal)).pages.size;
  expect(pages).toBeGreaterThan(3);

  const store = counting();
  const reader = open({ store });
  expect((await reader.snapshot(signal)).live).toHaveLength(1000);
  expect(store.counts.gets).toBe(1 + pages);
  store.reset();
  await reader.snapshot(signal);
  expect(store.counts.gets).toBe(0);
  await writer.commit(adding(entry()), signal);
  expect((await reader.snapshot(signal, { maxAgeMs: 0 })).live).toHaveLength(1001);
  expect(store.counts.gets).toBe(1);
});

test('a page that was folded away under a reader leads it to the newest root', async () => {
  const { open, store, entries } = setUp();
  const writer = open({ rootMaxBytes: 2048 });
  await writer.commit(adding(...entries(100)), signal);
  const [old] = (await writer.inspect(signal)).pages;
  const reader = open();
  // It knows the root, and has read no page yet.
  await reader.snapshot(signal, { range: { start: 0n, end: 0n } });
  await writer.commit(adding(...entries(100)), signal);
  await store.delete(pageKey(TENANT, old as string));
  expect((await reader.snapshot(signal)).live).toHaveLength(200);
});

test('a page that does not hold what the root says is damage', async () => {
  const { open, store, entries } = setUp();
  const add = entries(1000);
  const writer = open();
  await writer.commit(adding(...add), signal);
  const [page] = (await writer.inspect(signal)).pages;
  await store.put(pageKey(TENANT, page as string), [encodeEntryPage(TENANT, add.slice(1))]);
  await expect(open().snapshot(signal)).rejects.toMatchObject({ kind: 'data', code: 'manifest-damaged' });
});

test('a damaged root is an error of every call, and is not overwritten', async () => {
  const { open, store, entry } = setUp();
  const damaged = Uint8Array.of(1, 2, 3);
  await store.put(rootKey(TENANT), [damaged]);
  const damage = { kind: 'data', code: 'manifest-damaged' } satisfies Partial<VivaceError>;
  await expect(open().snapshot(signal)).rejects.toMatchObject(damage);
  await expect(open().commit(adding(entry()), signal)).rejects.toMatchObject(damage);
  expect((await store.get(rootKey(TENANT))).bytes).toEqual(damaged);
});

test.each(['in the root', 'in pages'])('a misdated block is in every snapshot without a range (%s)', async (where) => {
  const { clock, open, entry, entries } = setUp();
  const lostNs = 12n * BigInt(DAY_MS) * 1_000_000n;
  const lost = entry({ minStart: lostNs, maxEnd: lostNs + 5n, misdated: true });
  const others = entries(where === 'in pages' ? 1000 : 5);
  await open().commit(adding(lost, ...others), signal);
  const reader = open();
  expect((await reader.inspect(signal)).pages.size > 0).toBe(where === 'in pages');
  expect((await reader.snapshot(signal)).live).toContainEqual({ ...lost, ordinals: [{ first: 0, end: 1 }] });
  // A range is of the data's own time, whatever day the entry is filed under.
  const around = async (at: bigint) =>
    (await open().snapshot(signal, { range: { start: at - 1n, end: at + 1n } })).live;
  expect(await around(lostNs)).toMatchObject([lost]);
  expect(await around(BigInt(clock.nowMs()) * 1_000_000n)).toHaveLength(others.length);
});
