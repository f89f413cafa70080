import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { orAborted } from './or-aborted.ts';

const never = new Promise<never>(() => undefined);

test('the result or the failure of the work passes through, and nothing stays on the signal', async () => {
  const { signal } = new AbortController();
  await expect(orAborted(Promise.resolve(7), signal)).resolves.toBe(7);
  await expect(orAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a signal that was or is aborted ends the wait with its reason', async () => {
  const controller = new AbortController();
  const waiting = orAborted(never, controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(orAborted(never, controller.signal)).rejects.toThrow('enough');
});

test('work that has settled before the signal is aborted, in the same turn, is what counts', async () => {
  const controller = new AbortController();
  const work = Promise.withResolvers<string>();
  const waiting = orAborted(work.promise, controller.signal);
  work.resolve('done');
  controller.abort(new Error('enough'));
  await expect(waiting).resolves.toBe('done');
});

test('work that fails after nobody waits is no unhandled rejection', async () => {
  const work = Promise.withResolvers<void>();
  await expect(orAborted(work.promise, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  work.reject(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});
