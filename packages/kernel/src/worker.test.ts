import { cachedDataVersionTag, setFlagsFromString } from 'node:v8';
import { threadId } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { startWorker, startWorkerOnDemand, type WorkerOptions } from './worker.ts';

const source = `
  import { threadId } from 'node:worker_threads';
  import { serveWorker, workerArgument } from '${new URL('./worker.ts', import.meta.url).href}';
  serveWorker(new Map([['where', (to) => [threadId, workerArgument(), to]]]));
`;
const options: WorkerOptions = {
  module: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
  argument: 'one',
  onExit: (error) => expect.unreachable(error.message),
};

test('a worker on demand is one thread, which the first call starts', async () => {
  const worker = startWorkerOnDemand(options);
  expect(worker.pending).toBe(0);
  const calls = [worker.call('where', 1), worker.call('where', 2)];
  expect(worker.pending).toBe(2);
  const [first, second] = (await Promise.all(calls)) as [number, string, number][];
  expect(first?.slice(1)).toEqual(['one', 1]);
  expect(second).toEqual([first?.[0], 'one', 2]);
  expect(first?.[0]).not.toBe(threadId);
  await worker.stop();
});

test('a worker on demand that was stopped starts no thread', async () => {
  const worker = startWorkerOnDemand({ ...options, module: new URL('file:///nothing') });
  await worker.stop();
  await expect(worker.call('where', 1)).rejects.toMatchObject({ code: 'worker-stopped' });
});

test('no thread starts while V8 may compile the calls of WebAssembly', async () => {
  onTestFinished(() => setFlagsFromString('--wasm-wrapper-tiering-budget=1000'));
  // V8's tag of compiled code stands for the flags that are set.
  setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647');
  const never = cachedDataVersionTag();
  setFlagsFromString('--wasm-wrapper-tiering-budget=1000');
  expect(cachedDataVersionTag()).not.toBe(never);
  await startWorker(options).stop();
  expect(cachedDataVersionTag()).toBe(never);
});
