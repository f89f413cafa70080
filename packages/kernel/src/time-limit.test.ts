import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { VivaceError } from './errors.ts';
import { limitTime } from './time-limit.ts';

const late = () => new VivaceError('deadline', 'test', 'too late');
const HOUR_MS = 3_600_000;

test('it is aborted with the reason of the signal that it follows, also of one that was before', () => {
  const controller = new AbortController();
  const limit = limitTime(systemClock, HOUR_MS, late, controller.signal);
  expect(limit.signal.aborted).toBe(false);
  controller.abort(new Error('enough'));
  expect(limit.signal.reason).toEqual(new Error('enough'));
  limit.end();
  const after = limitTime(systemClock, HOUR_MS, late, controller.signal);
  expect(after.signal.reason).toEqual(new Error('enough'));
  after.end();
});

test('it is aborted when the time is over, with and without a signal', async () => {
  for (const signal of [undefined, new AbortController().signal]) {
    const limit = limitTime(systemClock, 1, late, signal);
    await new Promise((resolve) => limit.signal.addEventListener('abort', resolve, { once: true }));
    expect(limit.signal.reason).toEqual(late());
    limit.end();
  }
});

test('after its end nothing aborts it, and nothing is left behind', async () => {
  const controller = new AbortController();
  const limit = limitTime(systemClock, 5, late, controller.signal);
  limit.end();
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  controller.abort();
  await systemClock.sleep(20);
  expect(limit.signal.aborted).toBe(false);
});
