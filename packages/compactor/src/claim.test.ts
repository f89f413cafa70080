import { seededRandom } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { createFaultyStore } from '@vivace/object-store/testing';
import { expect, test } from 'vitest';
import { sweepClaims, takeClaim } from './claim.ts';
import { createShiftedClock } from './testing/shifted-clock.ts';

const signal = new AbortController().signal;

function setUp() {
  const clock = createShiftedClock();
  const timers: (() => void)[] = [];
  const store = createFaultyStore(createMemoryStore({ clock }));
  const quiet = {
    ...clock,
    after: (_ms: number, callback: () => void) => {
      timers.push(callback);
      return () => void timers.splice(timers.indexOf(callback), 1);
    },
  };
  const random = seededRandom(1);
  const take = () => takeClaim({ store, key: 'claims/a', clock: quiet, random, signal });
  return { clock, store, take, timers };
}

test('one of two has it, until it is released', async () => {
  const { take, store } = setUp();
  const first = await take();
  expect([first !== undefined, await take()]).toEqual([true, undefined]);
  await first?.release();
  await first?.release();
  expect((await store.list('claims/')).objects).toEqual([]);
  expect(await take()).toBeDefined();
});

test('of a holder that renews it nobody takes it; of one that does not somebody does after a minute', async () => {
  const { clock, take, timers, store } = setUp();
  await take();
  clock.advance(50_000);
  const before = (await store.head('claims/a')).etag;
  timers.shift()?.();
  await expect.poll(async () => (await store.head('claims/a')).etag).not.toBe(before);
  clock.advance(50_000);
  expect(await take()).toBeUndefined();
  clock.advance(10_001);
  expect(await take()).toBeDefined();
});

test('a holder that was given up for dead does not disturb its successor', async () => {
  const { clock, take, timers, store } = setUp();
  const first = await take();
  clock.advance(61_000);
  await take();
  const { etag } = await store.head('claims/a');
  timers.shift()?.();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await first?.release();
  expect((await store.head('claims/a')).etag).toBe(etag);
});

test('where the store does not say, there is no claim', async () => {
  const { take, store } = setUp();
  store.down = true;
  expect(await take()).toBeUndefined();
});

test('what dead holders have left is swept after an hour', async () => {
  const { clock, take, store } = setUp();
  await take();
  expect(await sweepClaims(store, signal)).toBe(0);
  clock.advance(3_600_001);
  expect(await sweepClaims(store, signal)).toBe(1);
  expect((await store.list('')).objects).toEqual([]);
});
