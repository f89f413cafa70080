import { seededRandom } from '@vivace/kernel';
import { decodeTraces, spanTexts } from '@vivace/otlp/testing';
import { expect, test } from 'vitest';
import type { CutBlock } from '../block-cutter.ts';
import { pooled } from '../testing/spans.ts';
import { createWorkerBlockCutter } from '../worker-block-cutter.ts';
import { createWorkerHeadBuilder } from '../worker-head-builder.ts';
import { madeUpRequest } from './made-up-requests.ts';
import { createPracticeHead } from './practice-head.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

test('a made-up request holds about a thousand spans of every kind, no two alike', () => {
  const random = seededRandom(1);
  const spans = Array.from({ length: 5 }, () => spanTexts(decodeTraces(madeUpRequest(random, NOW_MS)))).flat();
  expect(spans.length).toBeGreaterThan(3500);
  expect(spans.length).toBeLessThan(7000);
  expect(new Set(spans).size).toBe(spans.length);
  for (const part of [
    'parentSpanId',
    'events',
    'links',
    'status',

    'doubleValue',
    'boolValue',
    'arrayValue',
  ]) {
    const having = spans.filter((span) => span.includes(part)).length;
    expect(having, part).toBeGreaterThan(0);
    expect(having, part).toBeLessThan(spans.length);
  }
});

test('practice fills a head and cuts it, on the real threads, and leaves nothing in them', async () => {
  const fail = (error: Error) => expect.unreachable(error.message);
  const limits = { maxAttributeBytes: 65_536, maxTraceBytes: 5_000_000 };
  const builder = createWorkerHeadBuilder({ limits, maxColumns: 1000, seed: 1 }, fail);
  const shape = { singleObjectMaxBytes: 1024 ** 2, rowGroupRows: 131_072, pageRows: 4096, seed: 2 };
  const cutter = createWorkerBlockCutter(shape, fail);
  const cut: CutBlock[] = [];
  const sizes: number[] = [];
  const watched: typeof cutter = {
    ...cutter,
    cut: async (view, options) => {
      const blocks = await cutter.cut(view, options);
      cut.push(...blocks);
      return blocks;
    },
  };
  const practice = createPracticeHead({ builder, cutter: watched, onSize: (bytes) => sizes.push(bytes) });
  const random = seededRandom(2);
  let accepted = 0;
  for (let i = 0; i < 3; i++) {
    const request = pooled(madeUpRequest(random, NOW_MS));
    const result = await practice.sink.push('anybody', request, new AbortController().signal);
    expect(result.rejectedSpans).toBe(0);
    accepted += result.acceptedSpans;
  }
  await practice.cut();
  expect(cut.map(({ content }) => content.rows)).toEqual([accepted]);
  await practice.cut();
  expect(cut.length).toBe(1);
  await practice.sink.push('anybody', pooled(madeUpRequest(random, NOW_MS)), new AbortController().signal);
  await practice.clear();
  expect(cut.length).toBe(1);
  expect(sizes).toEqual([0, 0]);
  await Promise.all([builder.stop(), cutter.stop()]);
});
