import { createWorkerBlockCutter, createWorkerHeadBuilder } from '@vivace/ingester';
import { createPracticeHead } from '@vivace/ingester/testing';
import { seededRandom, systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { practiseIngest } from './practise-ingest.ts';

test('practice goes through a receiver into a head that is cut twice, and ends when the process does', async () => {
  const fail = (error: Error) => expect.unreachable(error.message);
  const limits = { maxAttributeBytes: 65_536, maxTraceBytes: 5_000_000 };
  const builder = createWorkerHeadBuilder({ limits, maxColumns: 1000, seed: 1 }, fail);
  const shape = { singleObjectMaxBytes: 1024 ** 2, rowGroupRows: 131_072, pageRows: 4096, seed: 2 };
  const cutter = createWorkerBlockCutter(shape, fail);
  const cut: number[] = [];
  const watched: typeof cutter = {
    ...cutter,
    cut: (view, options) => {
      cut.push(view.spanCount);
      return cutter.cut(view, options);
    },
  };
  const sizes: number[] = [];
  const head = createPracticeHead({ builder, cutter: watched, onSize: (bytes) => sizes.push(bytes) });
  const surroundings = { maxRequestBytes: 4 * 1024 ** 2, clock: systemClock, random: seededRandom(1) };
  const { signal } = new AbortController();
  await practiseIngest({ ...surroundings, signal }, head);
  expect(cut.length).toBe(2);
  expect(cut[0]).toBeGreaterThan(2000);
  expect(cut[1]).toBeGreaterThan(8 * (cut[0] as number));
  expect(sizes).toEqual([0, 0]);
  const gone = practiseIngest({ ...surroundings, signal: AbortSignal.abort() }, head);
  await expect(gone).rejects.toThrow('aborted');
  expect((await builder.push([])).size).toBe(0);
  await Promise.all([builder.stop(), cutter.stop()]);
});
