import { expect, test } from 'vitest';
import { SharedReading } from './shared-reading.ts';

const never = new AbortController().signal;
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

function setup() {
  const begun: { end: () => void; fail: (error: Error) => void; signal: AbortSignal }[] = [];
  const reading = new SharedReading((signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    begun.push({ end: resolve, fail: reject, signal });
    return promise;
  });
  return { reading, begun };
}

test('who comes before a reading begins shares it, who comes later waits for the next', async () => {
  const { reading, begun } = setup();
  const ended: string[] = [];
  const wait = (name: string) => reading.wait(never).then(() => ended.push(name));
  const first = [wait('a'), wait('b')];
  await turn();
  const later = [wait('c'), wait('d')];
  await turn();
  expect(begun).toHaveLength(1);
  begun[0]?.end();
  await Promise.all(first);
  expect(ended).toEqual(['a', 'b']);
  await turn();
  expect(begun).toHaveLength(2);
  begun[1]?.end();
  await Promise.all(later);
  await turn();
  expect([ended.length, reading.isBusy]).toEqual([4, false]);
});

test('a reading ends when the last who waits has left, and one that fails is of those who wait for it', async () => {
  const { reading, begun } = setup();
  const [one, two] = [new AbortController(), new AbortController()];
  const waiting = [one, two].map(({ signal }) => reading.wait(signal).catch(() => 'left'));
  await turn();
  one.abort();
  await turn();
  expect(begun[0]?.signal.aborted).toBe(false);
  two.abort();
  expect(await Promise.all(waiting)).toEqual(['left', 'left']);
  expect(begun[0]?.signal.aborted).toBe(true);
  const next = reading.wait(never).catch((error: Error) => error.message);
  await turn();
  const after = reading.wait(never);
  begun[1]?.fail(new Error('no'));
  expect(await next).toBe('no');
  await turn();
  begun[2]?.end();
  await after;
  expect(begun).toHaveLength(3);
});

test('who leaves before it begins does not keep others from reading', async () => {
  const { reading, begun } = setup();
  const first = reading.wait(never);
  await turn();
  const hasty = new AbortController();
  const left = reading.wait(hasty.signal).catch(() => 'left');
  hasty.abort();
  expect(await left).toBe('left');
  const second = reading.wait(never);
  begun[0]?.end();
  await first;
  await turn();
  expect(begun).toHaveLength(2);
  begun[1]?.end();
  await second;
});
