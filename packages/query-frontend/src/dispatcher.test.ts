import { Health, parseSource } from '@vivace/cluster';
import { seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { Dispatcher } from './dispatcher.ts';
import { Lookout } from './lookout.ts';

const never = new AbortController().signal;

function member(port: number) {
  expect(parseSource(`127.0.0.1:${port}`)).toBeDefined();
  return { address: `127.0.0.1:${port}`, host: '127.0.0.1', port };
}

function dispatcherOf(ports: readonly number[]) {
  const random = seededRandom(3);
  const members = ports.map(member);
  const lookout = new Lookout({
    members: () => members,
    reach: async () => undefined,
    lookUp: () => undefined,
    clock: systemClock,
    timeoutMs: 200,
  });
  const health = new Health({ clock: systemClock, random });
  return new Dispatcher({ members: () => members, health, random, lookout });
}

async function all<Part>(parts: AsyncIterable<Part>): Promise<Part[]> {
  const found: Part[] = [];
  for await (const part of parts) found.push(part);
  return found;
}

test('work goes to who has the least of it', async () => {
  const dispatcher = dispatcherOf([1, 2, 3]);
  const asked: number[] = [];
  const waiting = Promise.withResolvers<void>();
  const work = async function* ({ port }: { port: number }) {
    asked.push(port);
    await waiting.promise;
    yield port;
  };
  const running = Array.from({ length: 6 }, () => all(dispatcher.run(work, never)));
  expect(asked.slice(0, 3).sort((a, b) => a - b)).toEqual([1, 2, 3]);
  expect(asked.slice(3).sort((a, b) => a - b)).toEqual([1, 2, 3]);
  waiting.resolve();
  expect((await Promise.all(running)).flat()).toHaveLength(6);
});

test('what breaks off is asked once more, of another, and what a querier says is not', async () => {
  const dispatcher = dispatcherOf([1, 2]);
  const lost = new VivaceError('unavailable', 'call-broken', 'the connection was lost');
  const asked: number[] = [];
  const work = async function* ({ port }: { port: number }, attempt: number) {
    asked.push(port);
    yield 'a';
    if (attempt === 0) throw lost;
    yield 'b';
  };
  expect(await all(dispatcher.run(work, never))).toEqual(['a', 'a', 'b']);
  expect([...asked].sort((a, b) => a - b)).toEqual([1, 2]);
  expect(dispatcher.retries).toBe(1);

  const told = new VivaceError('unavailable', 'store-timeout', 'the store did not answer');
  let calls = 0;
  const fails = async function* (): AsyncGenerator<string> {
    calls++;
    if (calls > 0) throw told;
    yield 'never';
  };
  await expect(all(dispatcher.run(fails, never))).rejects.toBe(told);
  expect(calls).toBe(1);
});

test.each([
  ['breaks off', 'call-broken', 2],
  // Two that are not there have not begun; then all are looked for, and one that answers and does not is asked again.
  ['does not begin', 'connect-failed', 4],
])('it gives up what %s again and again', async (_, code, times) => {
  const lost = new VivaceError('unavailable', code, 'nobody is there');
  let calls = 0;
  const fails = async function* (): AsyncGenerator<string> {
    calls++;
    if (calls > 0) throw lost;
    yield 'never';
  };
  await expect(all(dispatcherOf([1, 2, 3, 4, 5]).run(fails, never))).rejects.toBe(lost);
  expect(calls).toBe(times);
});

test('where no querier is known it gives up after a while', async () => {
  const work = async function* (): AsyncGenerator<string> {
    yield 'never';
  };
  await expect(all(dispatcherOf([]).run(work, never))).rejects.toThrow(
    'no querier could be reached in 0.1 s: none is known',
  );
});
