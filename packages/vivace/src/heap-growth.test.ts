import { cachedDataVersionTag, setFlagsFromString } from 'node:v8';
import type { BlockMerger } from '@vivace/compactor';
import { expect, onTestFinished, test } from 'vitest';
import { collectingOften, collectSeldom } from './heap-growth.ts';

type Merged = Awaited<ReturnType<BlockMerger['merge']>>;

// V8's tag of compiled code stands for the flags that are set.

test('heaps grow as wanted but while a merge runs, also where that began before', async () => {
  onTestFinished(() => setFlagsFromString('--heap-growing-percent=0'));
  const often = cachedDataVersionTag();
  const running: PromiseWithResolvers<Merged>[] = [];
  const merge = () => {
    const one = Promise.withResolvers<Merged>();
    running.push(one);
    return one.promise;
  };
  const merger = collectingOften({ merge, stop: async () => undefined });
  const task = [{}, async () => undefined, new AbortController().signal] as unknown as Parameters<BlockMerger['merge']>;

  const first = merger.merge(...task);
  collectSeldom();
  expect(cachedDataVersionTag()).toBe(often);
  running[0]?.resolve({} as Merged);
  await first;
  const seldom = cachedDataVersionTag();
  expect(seldom).not.toBe(often);

  const second = merger.merge(...task);
  expect(cachedDataVersionTag()).toBe(often);
  running[1]?.reject(new Error('given up'));
  await expect(second).rejects.toThrow('given up');
  expect(cachedDataVersionTag()).toBe(seldom);
});
