import { type BlockCache, batchesOf, createBlockCache, encodeBlock, openBlock } from '@vivace/block';
import { blockOrder, buildSet, storeBlock } from '@vivace/block/testing';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { BatchRows } from './batch-rows.ts';
import { blockBatch } from './block-batch.ts';
import { filtersOf } from './needs.ts';
import { selectRows } from './span-scan.ts';
import { allNeeds } from './testing/batch-spans.ts';

const { signal } = new AbortController();
const SPANS = 20;

const set = buildSet(
  Array.from({ length: SPANS }, (_, i) => ({
    traceId: (i >> 1).toString(16).padStart(32, '0'),
    spanId: (i + 1).toString(16).padStart(16, '0'),
    start: BigInt(i),
    end: BigInt(2 * i),
    attributes: [['n', BigInt(i % 5)]] as [string, bigint][],
  })),
);
const { place, readRange } = storeBlock(encodeBlock(set, blockOrder(set)));

/** Rows of the block that a query's only filter selects, and the keys under which rows were kept. */
async function select(text: string, cache: BlockCache, within?: Int32Array) {
  const reader = openBlock({ place, readRange, cache });
  const [run] = batchesOf(await reader.index());
  const batch = await blockBatch(reader, run as NonNullable<typeof run>);
  await batch.prepare(allNeeds(['n'], []), signal);
  const [filter] = filtersOf(parse(text).pipeline);
  return [...(selectRows(new BatchRows(batch), filter?.expression, 'exact', within) ?? [])];
}

function watchedCache(keepsPartials: boolean) {
  const cache = createBlockCache({ maxBytes: 1 << 22, keepsPartials });
  const kept: string[] = [];
  const watched: BlockCache = {
    ...cache,
    put: (key, value, bytes) => {
      if (key.includes('/rows/')) kept.push(key);
      cache.put(key, value, bytes);
    },
  };
  return { cache: watched, kept };
}

test('rows that a condition selects in a block are worked out once, for every query that has it', async () => {
  const { cache, kept } = watchedCache(true);
  const first = await select('{ span.n = 3 }', cache);
  expect(first).toEqual([3, 8, 13, 18]);
  expect(kept).toEqual(['block-1/rows/0/exact span.n = 3']);
  cache.put(kept[0] as string, Int32Array.of(1, 2), 8);
  expect(await select('{ span.n = 3 } | count() > 1', cache)).toEqual([1, 2]);
  expect(await select('{ span.n = 4 }', cache)).toEqual([4, 9, 14, 19]);
});

test('rows chosen among others are not kept: they depend on the others', async () => {
  const { cache, kept } = watchedCache(true);
  expect(await select('{ span.n = 3 }', cache, Int32Array.of(0, 3, 4))).toEqual([3]);
  expect(kept).toEqual([]);
});

test('a cache that keeps no partials is not given any', async () => {
  const { cache, kept } = watchedCache(false);
  expect(await select('{ span.n = 3 }', cache)).toHaveLength(4);
  expect(kept).toEqual([]);
});
