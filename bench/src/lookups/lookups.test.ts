import { seededRandom, systemClock } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { describe, expect, test } from 'vitest';
import { createLookupRig, type Lookup } from './lookups.ts';

const { signal } = new AbortController();

describe.each([
  [10, 1],
  [100, 2],
  [1000, 4],
])('of %i blocks over %i days', (blocks, days) => {
  test('a lookup reads what it may', { timeout: 240_000 }, async () => {
    const store = createMemoryStore({ clock: systemClock });
    const rig = await createLookupRig({ store, clock: systemClock, random: seededRandom(7), blocks, days, signal });
    const lookups = await rig.measure(1);
    const most = (kind: Lookup['kind'], isCold: boolean, of: (lookup: Lookup) => number): number =>
      Math.max(...lookups.filter((one) => one.kind === kind && one.isCold === isCold).map(of));
    expect(lookups.every(({ isRight }) => isRight)).toBe(true);
    for (const kind of ['by id', 'absent id'] as const) {
      expect(most(kind, true, ({ holder }) => holder)).toBeLessThanOrEqual(kind === 'by id' ? 2 : 0);
      expect(most(kind, true, ({ finding }) => finding)).toBeLessThanOrEqual(2 * days);
    }
    for (const kind of ['needle', 'absent value'] as const) {
      // One small read a block, and some of the index and the columns of one that is opened in vain.
      expect(most(kind, true, ({ finding, inVain }) => finding - 5 * inVain)).toBeLessThanOrEqual(blocks);
      expect(most(kind, true, ({ longestBytes }) => longestBytes)).toBeLessThanOrEqual(16 * 1024);
      // One filter in eighty says maybe of a value that the block does not have.
      expect(most(kind, true, ({ inVain }) => inVain)).toBeLessThanOrEqual(blocks / 40);
    }
    for (const kind of ['by id', 'absent id', 'needle', 'absent value'] as const) {
      expect(most(kind, false, ({ holder }) => holder)).toBe(0);
      expect(most(kind, false, ({ finding }) => finding)).toBe(0);
    }
    // The root, and its pages of a megabyte: at most one a day and a few more.
    expect(Math.max(...lookups.map(({ root, pages }) => root + pages))).toBeLessThanOrEqual(3 + days);
  });
});
