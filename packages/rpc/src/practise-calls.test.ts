import { systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { practiseCalls } from './index.ts';

const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;

test('practice ends by itself, and leaves no connection', async () => {
  const before = sockets();
  await practiseCalls(systemClock, new AbortController().signal);
  await expect.poll(sockets).toBe(before);
});

test('practice ends when somebody asks, and leaves no connection', async () => {
  const before = sockets();
  const controller = new AbortController();
  const practice = practiseCalls(systemClock, controller.signal);
  setTimeout(() => controller.abort(new Error('somebody asks')), 20);
  await expect(practice).rejects.toThrow('somebody asks');
  await expect.poll(sockets).toBe(before);
});
