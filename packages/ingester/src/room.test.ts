import { seededRandom, VivaceError } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { expect, test } from 'vitest';
import { Room } from './room.ts';

const never = new AbortController().signal;

function setUp() {
  const scheduler = createScheduler(seededRandom(1));
  const room = new Room({ maxBytes: 100, waitMs: 5000, clock: scheduler.clock });
  return { scheduler, room };
}

test('a request that finds room does not wait, one that finds none goes on when there is some', async () => {
  const { room } = setUp();
  await room.wait(never);
  room.setUsed(100);
  let gone = false;
  const waiting = room.wait(never).then(() => {
    gone = true;
  });
  room.setUsed(101);
  await Promise.resolve();
  expect(gone).toBe(false);
  room.setUsed(99);
  await waiting;
});

test('a request that waits too long is refused with a time to try again', async () => {
  const { room, scheduler } = setUp();
  room.setUsed(100);
  const refused = room.wait(never).catch((error: unknown) => error);
  await scheduler.run(() => false);
  expect(scheduler.clock.monotonicMs()).toBe(5000);
  expect(await refused).toMatchObject({ kind: 'unavailable', code: 'heads-full', retryAfterMs: 2000 });
});

test('nobody waits for a request whose sender has gone', async () => {
  const { room, scheduler } = setUp();
  room.setUsed(100);
  const abort = new AbortController();
  const waiting = room.wait(abort.signal);
  abort.abort(new VivaceError('canceled', 'gone', 'gone'));
  await expect(waiting).rejects.toMatchObject({ code: 'gone' });
  await expect(room.wait(abort.signal)).rejects.toMatchObject({ code: 'gone' });
  expect(await scheduler.step()).toBe(false);
});

test('more than a thousand do not wait', async () => {
  const { room } = setUp();
  room.setUsed(100);
  const waiting = Array.from({ length: 1024 }, () => room.wait(never));
  await expect(room.wait(never)).rejects.toMatchObject({ code: 'heads-full' });
  room.setUsed(0);
  await Promise.all(waiting);
});
