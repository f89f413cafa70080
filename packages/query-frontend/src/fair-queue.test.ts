import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const unaborted = new AbortController().signal;

/** A task that says when it starts and ends when it is told to. */
function heldTask(name: string, started: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const task = async (): Promise<string> => {
    started.push(name);
    await promise;
    return name;
  };
  return { task, end: resolve };
}

/** Enters the queue, runs a task and leaves. */
async function run<T>(queue: FairQueue, tenant: string, task: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const leave = await queue.enter(tenant, signal);
  try {
    return await task();
  } finally {
    leave();
  }
}

/** A queue whose only place is taken until `release`. */
async function takenQueue(maxWaiting: number) {
  const queue = new FairQueue({ maxRunning: 1, maxWaiting });
  return { queue, release: await queue.enter('first', unaborted) };
}

test('a tenant with one query waits for one of another that has many', async () => {
  const { queue, release } = await takenQueue(10);
  const started: string[] = [];
  const note = (name: string) => async () => void started.push(name);
  const all = [
    ...[1, 2, 3, 4].map((number) => run(queue, 'busy', note(`busy ${number}`), unaborted)),
    ...[1, 2].map((number) => run(queue, 'calm', note(`calm ${number}`), unaborted)),
    run(queue, 'quiet', note('quiet 1'), unaborted),
  ];
  expect([queue.running, queue.waiting]).toEqual([1, 7]);
  release();
  await Promise.all(all);
  expect(started).toEqual(['busy 1', 'calm 1', 'quiet 1', 'busy 2', 'calm 2', 'busy 3', 'busy 4']);
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});

test('a tenant that asks again after its turn comes after those that have not had theirs', async () => {
  const { queue, release } = await takenQueue(10);
  const started: string[] = [];
  const a = heldTask('a', started);
  const all = [run(queue, 'a', a.task, unaborted), run(queue, 'b', async () => void started.push('b'), unaborted)];
  release();
  await turn();
  expect(started).toEqual(['a']);
  all.push(run(queue, 'a', async () => void started.push('a again'), unaborted));
  a.end();
  await Promise.all(all);
  expect(started).toEqual(['a', 'b', 'a again']);
});

test('as many run at the same time as may, and a place is free again after a failure', async () => {
  const queue = new FairQueue({ maxRunning: 2, maxWaiting: 10 });
  const started: string[] = [];
  const [a, b, c] = [heldTask('a', started), heldTask('b', started), heldTask('c', started)];
  const failing = run(
    queue,
    't',
    async () => {
      await a.task();
      throw new Error('failed');
    },
    unaborted,
  );
  const others = [run(queue, 't', b.task, unaborted), run(queue, 't', c.task, unaborted)];
  await turn();
  expect(started).toEqual(['a', 'b']);
  a.end();
  await expect(failing).rejects.toThrow('failed');
  await turn();
  expect(started).toEqual(['a', 'b', 'c']);
  expect(queue.running).toBe(2);
  b.end();
  c.end();
  await expect(Promise.all(others)).resolves.toEqual(['b', 'c']);
  expect(queue.running).toBe(0);
});

test('a tenant with too many that wait is refused with a time to retry, and others are not', async () => {
  const { queue, release } = await takenQueue(2);
  const task = async () => 'done';
  const waiting = [run(queue, 'a', task, unaborted), run(queue, 'a', task, unaborted)];
  await expect(run(queue, 'a', task, unaborted)).rejects.toMatchObject({ kind: 'limited', retryAfterMs: 1000 });
  waiting.push(run(queue, 'b', task, unaborted));
  release();
  await expect(Promise.all(waiting)).resolves.toEqual(['done', 'done', 'done']);
  await expect(run(queue, 'a', task, unaborted)).resolves.toBe('done');
});

test('who gives up while it waits makes room, and is never run', async () => {
  const { queue, release } = await takenQueue(1);
  const started: string[] = [];
  const gone = new AbortController();
  const given = run(queue, 'a', async () => started.push('gone'), gone.signal);
  gone.abort(new Error('hung up'));
  await expect(given).rejects.toThrow('hung up');
  expect(queue.waiting).toBe(0);
  const other = run(queue, 'a', async () => void started.push('other'), unaborted);
  release();
  await other;
  expect(started).toEqual(['other']);
  expect(queue.running).toBe(0);
});

test('who gives up at the moment of its turn hands the turn on', async () => {
  const { queue, release } = await takenQueue(5);
  const started: string[] = [];
  const gone = new AbortController();
  const given = run(queue, 'a', async () => started.push('gone'), gone.signal);
  const other = run(queue, 'b', async () => void started.push('other'), unaborted);
  gone.abort(new Error('hung up'));
  // Before anybody could see that it gave up.
  release();
  await expect(given).rejects.toThrow('hung up');
  await other;
  expect(started).toEqual(['other']);
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});

test('who gives up just after its turn has begun has its place, and leaves it as ever', async () => {
  const { queue, release } = await takenQueue(5);
  const gone = new AbortController();
  const given = run(queue, 'a', async () => gone.signal.throwIfAborted(), gone.signal);
  const other = run(queue, 'b', async () => 'other', unaborted);
  release();
  gone.abort(new Error('hung up'));
  await expect(given).rejects.toThrow('hung up');
  await expect(other).resolves.toBe('other');
  expect([queue.running, queue.waiting]).toEqual([0, 0]);
});

test('leaving twice gives the place back once', async () => {
  const queue = new FairQueue({ maxRunning: 1, maxWaiting: 1 });
  const leave = await queue.enter('a', unaborted);
  leave();
  leave();
  expect(queue.running).toBe(0);
});

test('a query whose client is gone already is not run', async () => {
  const queue = new FairQueue({ maxRunning: 1, maxWaiting: 1 });
  const signal = AbortSignal.abort(new Error('gone'));
  await expect(run(queue, 'a', async () => 1, signal)).rejects.toThrow('gone');
  expect(queue.running).toBe(0);
});
