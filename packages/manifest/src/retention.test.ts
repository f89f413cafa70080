import { seededRandom } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { expect, test } from 'vitest';
import type { BlockEntry } from './block-entry.ts';
import { openManifest } from './manifest.ts';
import { classOfKeep, DEFAULT_CLASS, expireBlocks, expiresMs, type RetentionTimes } from './retention.ts';
import { makeEntry } from './testing/entries.ts';
import { createTestClock } from './testing/test-clock.ts';

const DAY = 86_400_000;
const NOW = 1_790_000_000_000;
const signal = new AbortController().signal;
const withRules: RetentionTimes = { keepMs: 7 * DAY, rules: [{ keepMs: 30 * DAY }] };
const withoutRules: RetentionTimes = { keepMs: 7 * DAY, rules: [] };
const random = seededRandom(3);
const keptDays = (retentionClass: string, retention: RetentionTimes) =>
  (expiresMs(makeEntry(random, NOW, { retentionClass }), retention) - NOW) / DAY;

test('blocks that nothing was decided of are kept as long as any rule says', () => {
  expect([keptDays('', withoutRules), keptDays('', withRules)]).toEqual([7, 30]);
});

test('what no rule matched follows the retention of today, what one matched what it said then', () => {
  expect([keptDays(DEFAULT_CLASS, withRules), keptDays(classOfKeep(90 * DAY), withoutRules)]).toEqual([7, 90]);
});

test('a class of another program is kept', () => {
  for (const name of ['gold', '12', '-1s', '99999999999s']) expect(keptDays(name, withRules)).toBe(Infinity);
});

test('a rule may be shorter than the retention', () => {
  const short = { keepMs: 7 * DAY, rules: [{ keepMs: DAY }] };
  expect([keptDays(classOfKeep(DAY), short), keptDays('', short)]).toEqual([1, 7]);
});

/** A manifest with blocks whose data is so many days old. */
async function filled(...days: [name: string, days: number, change?: Partial<BlockEntry>][]) {
  const clock = createTestClock(NOW);
  const store = createMemoryStore({ clock });
  const open = () => openManifest({ store, tenant: 'one', clock, random });
  const manifest = open();
  const names = new Map<string, string>();
  const add = days.map(([name, age, change]) => {
    const entry = makeEntry(random, NOW, { maxEnd: BigInt(NOW - age * DAY) * 1_000_000n, ...change });
    names.set(entry.id, name);
    return entry;
  });
  await manifest.commit({ add, remove: [], cover: [] }, signal);
  const live = async () => (await open().snapshot(signal)).live.map(({ id }) => names.get(id));
  return { clock, manifest, open, live, names };
}

test('blocks expire by the end of their data, those of impossible times by when they came', async () => {
  const { manifest, live } = await filled(
    ['young', 6],
    ['edge', 7],
    ['old', 7.01],
    ['future', -400, { misdated: true, commitTimeMs: NOW - 8 * DAY }],
    ['past', 4000, { misdated: true, commitTimeMs: NOW - 6 * DAY }],
  );
  expect((await expireBlocks(manifest, withoutRules, signal)).length).toBe(2);
  expect(await live()).toEqual(['young', 'edge', 'past']);
});

test('retention for ever expires nothing', async () => {
  const { manifest } = await filled(['old', 5000]);
  expect(await expireBlocks(manifest, { keepMs: Infinity, rules: [] }, signal)).toEqual([]);
});

test('many blocks go in several commits', async () => {
  const { manifest, live } = await filled(
    ...Array.from({ length: 1500 }, (_, i): [string, number] => [`${i}`, i < 1400 ? 9 : 1]),
  );
  expect((await expireBlocks(manifest, withoutRules, signal)).length).toBe(1400);
  expect((await live()).length).toBe(100);
});

test('where a merge was faster, what became of the blocks is looked at again', async () => {
  const { manifest, open, live, names } = await filled(['a', 9], ['b', 9]);
  const before = await manifest.snapshot(signal);
  const merged = makeEntry(random, NOW, { maxEnd: BigInt(NOW - 6 * DAY) * 1_000_000n });
  names.set(merged.id, 'merged');
  await open().commit({ add: [merged], remove: [before.live[0]?.id as string], cover: [] }, signal);
  const stale = {
    ...manifest,
    snapshot: async (_: AbortSignal, { maxAgeMs = 0 } = {}) =>
      maxAgeMs > 0 ? before : manifest.snapshot(signal, { maxAgeMs }),
  };
  expect((await expireBlocks(stale, withoutRules, signal)).map(({ id }) => names.get(id))).toEqual(['b']);
  expect(await live()).toEqual(['merged']);
});
