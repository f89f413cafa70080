import { hexToBytes } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBlockCache } from '../cache.ts';
import { encodeBlock } from '../encode-block.ts';
import { openBlock } from '../open-block.ts';
import { distinctOrder, mergeStored } from '../testing/merge-stored.ts';
import {
  allRows,
  arbitrarySpan,
  blockOrder,
  buildSet,
  type PlainSpan,
  plainSpans,
  type StoredBlock,
  storeBlock,
  type TestSpan,
} from '../testing.ts';
import type { MergeOptions } from './merge-options.ts';

/** Blocks of some spans, by the number of the block of each. */
function storesOf(spans: readonly TestSpan[], blocks: readonly number[], rowGroupRows: number): StoredBlock[] {
  const stores: StoredBlock[] = [];
  for (const block of new Set(blocks)) {
    const set = buildSet(spans.filter((_, i) => blocks[i] === block));
    const order = blockOrder(set);
    if (order.length > 0) stores.push(storeBlock(encodeBlock(set, order, { rowGroupRows, pageRows: 3 })));
  }
  return stores;
}

/** Every span of a block, by lookups of its traces. */
async function spansOf(store: StoredBlock, traceIds: Iterable<string>): Promise<PlainSpan[]> {
  const { place, readRange } = store;
  const reader = openBlock({ place, readRange, cache: createBlockCache({ maxBytes: 1 << 26 }) });
  const spans: PlainSpan[] = [];
  for (const traceId of traceIds) {
    const set = await reader.readTrace(hexToBytes(traceId));
    if (set !== undefined) spans.push(...plainSpans(set, allRows(set)));
  }
  return spans;
}

const shape = fc.record({ rowGroupRows: fc.integer({ min: 1, max: 60 }), pageRows: fc.integer({ min: 1, max: 20 }) });
const someSpans = fc.array(fc.tuple(arbitrarySpan, fc.nat(3)), { minLength: 1, maxLength: 50 });

describe('merging blocks', () => {
  test('gives every span once, as it was, whichever blocks had it', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        someSpans,
        shape,
        fc.integer({ min: 1, max: 40 }),
        async (placed, options: Partial<MergeOptions>, rows) => {
          const spans = placed.map(([span]) => span);
          const stores = storesOf(
            spans,
            placed.map(([, block]) => block),
            rows,
          );
          fc.pre(stores.length > 0);
          const set = buildSet(spans);
          const order = distinctOrder(set);
          const expected = plainSpans(set, order);
          const { merged, result } = await mergeStored(stores, options);
          expect(merged).toHaveLength(1);
          const traceIds = new Set(expected.map(({ traceId }) => traceId));
          const [block] = merged;
          if (block === undefined) throw new Error('there is no block');
          expect(await spansOf(block.store, traceIds)).toEqual(expected);
          const whole = encodeBlock(set, order, options);
          const { rows: count, traces, minStart, maxEnd } = block.content;
          expect({ count, traces, minStart, maxEnd }).toEqual({
            count: order.length,
            traces: whole.traces,
            minStart: whole.minStart,
            maxEnd: whole.maxEnd,
          });
          expect(result.resends).toBe(result.inputRows - order.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
