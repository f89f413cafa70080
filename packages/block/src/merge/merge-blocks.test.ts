import { dataError, hexToBytes, seededRandom } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBlockCache } from '../cache.ts';
import { encodeBlock } from '../encode-block.ts';
import { type BlockReader, openBlock } from '../open-block.ts';
import { batchesOf } from '../scan/group-run.ts';
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
  type TestAttribute,
  type TestSpan,
} from '../testing.ts';
import type { AttributeSummary } from '../value-summary.ts';

/** Blocks of some spans, by the number of the block of each. */
function storesOf(spans: readonly TestSpan[], blocks: readonly number[], rowGroupRows = 1000): StoredBlock[] {
  const stores: StoredBlock[] = [];
  for (const block of new Set(blocks)) {
    const set = buildSet(spans.filter((_, i) => blocks[i] === block));
    const order = blockOrder(set);
    if (order.length > 0) stores.push(storeBlock(encodeBlock(set, order, { rowGroupRows, pageRows: 3 }), 0));
  }
  return stores;
}

function readerOf({ place, readRange }: StoredBlock): BlockReader {
  return openBlock({ place, readRange, cache: createBlockCache({ maxBytes: 1 << 26 }) });
}

/** Every span of a block, by lookups of its traces. */
async function spansOf(store: StoredBlock, traceIds: Iterable<string>): Promise<PlainSpan[]> {
  const reader = readerOf(store);
  const spans: PlainSpan[] = [];
  for (const traceId of [...traceIds].sort()) {
    const set = await reader.readTrace(hexToBytes(traceId));
    if (set !== undefined) spans.push(...plainSpans(set, allRows(set)));
  }
  return spans;
}

async function mergedOne(...arguments_: Parameters<typeof mergeStored>): Promise<StoredBlock> {
  const { merged } = await mergeStored(...arguments_);
  expect(merged).toHaveLength(1);
  return (merged[0] as (typeof merged)[number]).store;
}

function traceIdsOf(spans: readonly { traceId: string }[]): Set<string> {
  return new Set(spans.map(({ traceId }) => traceId));
}

function spanOf(trace: number, number: number, more: Partial<TestSpan> = {}): TestSpan {
  return {
    traceId: (trace + 1).toString(16).padStart(32, 'a'),
    spanId: (number + 1).toString(16).padStart(16, '0'),
    start: 1_760_000_000_000_000_000n + BigInt(number),
    end: 1_760_000_000_000_000_500n + BigInt(number),
    ...more,
  };
}

const shape = fc.record({
  rowGroupRows: fc.integer({ min: 1, max: 60 }),
  pageRows: fc.integer({ min: 1, max: 20 }),
  maxGroupBytes: fc.constantFrom(0, 1 << 24),
});
const someSpans = fc.array(fc.tuple(arbitrarySpan, fc.nat(3)), { minLength: 1, maxLength: 50 });
const groupRows = fc.integer({ min: 1, max: 40 });

/** What a summary says that does not depend on where values lie. */
function totalsOf(attributes: readonly AttributeSummary[]): string[] {
  return attributes.map(({ scope, key, type, total }) => `${scope} ${key} ${type} ${total}`);
}

describe('merging blocks', () => {
  test('gives every span once, as it was, whichever blocks had it', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(someSpans, shape, groupRows, async (placed, options, rows) => {
        const spans = placed.map(([span]) => span);
        const blocks = placed.map(([, block]) => block);
        const stores = storesOf(spans, blocks, rows);
        fc.pre(stores.length > 0);
        const set = buildSet(spans);
        const order = distinctOrder(set);
        const expected = plainSpans(set, order);
        const { merged, result } = await mergeStored(stores, options);
        expect(merged).toHaveLength(1);
        const [block] = merged;
        if (block === undefined) throw new Error('there is no block');
        expect(await spansOf(block.store, traceIdsOf(expected))).toEqual(expected);
        const whole = encodeBlock(set, order, options);
        const { rows: count, traces, minStart, maxEnd } = block.content;
        expect({ count, traces, minStart, maxEnd }).toEqual({
          count: order.length,
          traces: whole.traces,
          minStart: whole.minStart,
          maxEnd: whole.maxEnd,
        });
        expect(result.resends).toBe(result.inputRows - order.length);
        // What the block knows without its rows is what it would know if it had been cut from all spans.
        const summary = await readerOf(block.store).readSummary();
        const { attributes } = await readerOf(storeBlock(whole)).readSummary();
        expect(totalsOf(summary.attributes)).toEqual(totalsOf(attributes));
        for (const [i, attribute] of attributes.entries()) {
          const mine = summary.attributes[i];
          if (mine !== undefined && !mine.truncated) expect(mine.values).toEqual(attribute.values);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('in any grouping gives the same', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(someSpans, shape, async (placed, options) => {
        const spans = placed.map(([span]) => span);
        const stores = storesOf(
          spans,
          placed.map(([, block]) => block),
        );
        fc.pre(stores.length > 2);
        const ids = traceIdsOf(spans);
        const first = await mergedOne(stores.slice(0, 2), options);
        const last = await mergedOne(stores.slice(1).toReversed(), options);
        const all = await spansOf(await mergedOne(stores, options), ids);
        expect(await spansOf(await mergedOne([first, ...stores.slice(2)], options), ids)).toEqual(all);
        expect(await spansOf(await mergedOne([last, stores[0] as StoredBlock], options), ids)).toEqual(all);
      }),
      { numRuns: 60 },
    );
  });

  test('joins a trace that is larger than a row group, with its parents', async () => {
    const spans: TestSpan[] = [spanOf(0, 0), spanOf(2, 0), spanOf(2, 1)];
    for (let i = 0; i < 1050; i++) {
      const parent = i === 0 ? {} : { parentId: (Math.floor(i / 3) + 1).toString(16).padStart(16, '0') };
      spans.push(spanOf(1, i, { ...parent, events: i % 7 === 0 ? [{ name: `e${i}`, time: 5n }] : [] }));
    }
    // Every tenth span is in two blocks.
    const resent = spans.filter((_, i) => i % 10 === 0);
    const all = [...spans, ...resent];
    const blocks = all.map((_, i) => (i < spans.length ? i % 3 : (i * 10 + 1) % 3));
    const store = await mergedOne(storesOf(all, blocks, 100), { rowGroupRows: 100, pageRows: 30 });
    const set = buildSet(spans);
    expect(await spansOf(store, traceIdsOf(spans))).toEqual(plainSpans(set, blockOrder(set)));
    const index = await readerOf(store).index();
    expect(index.spans.groups.map(({ rows }) => rows)).toEqual([1, ...Array.from({ length: 10 }, () => 100), 50, 2]);
    expect(batchesOf(index).map(({ first, end }) => end - first)).toEqual([1, 11, 1]);
    // No parent is given by its id: all are rows of the block.
    const read = await readerOf(store).readTrace(hexToBytes(spanOf(1, 0).traceId));
    expect(read?.spanCount).toBe(1050);
  });

  test('settles a few resends among many spans by the rule that heads have', async () => {
    const random = seededRandom(9);
    const some = (i: number): Partial<TestSpan> => ({
      attributes: [
        ['unique', `u${random.u32()}`],
        ['few', `f${i % 7}`],
        ...(i % 3 === 0 ? [['size', BigInt(i % 11)] satisfies TestAttribute] : []),
      ],
      ...(i % 5 === 0 && { overflow: Uint8Array.of(0x50, i % 90), statusMessage: `m${i % 4}` }),
      events: i % 6 === 0 ? [{ name: `e${i % 2}`, time: BigInt(i), attributes: [['k', 'v']] }] : [],
    });
    const spans: TestSpan[] = Array.from({ length: 6000 }, (_, i) => spanOf(i % 400, i, some(i)));
    const blocks = spans.map((_, i) => i % 2);
    for (let i = 0; i < 6000; i += 97) {
      const { end } = spans[i] as TestSpan;
      // Equal, of other content, or of another end.
      const resent = [spans[i] as TestSpan, spanOf(i % 400, i, some(i + 1)), spanOf(i % 400, i, { end: end + 1n })];
      spans.push(resent[i % 3] as TestSpan);
      blocks.push((i + 1) % 2);
    }
    const set = buildSet(spans);
    const expected = plainSpans(set, distinctOrder(set));
    expect(expected).toHaveLength(6000);
    const stores = storesOf(spans, blocks, 2000);
    const rowGroups = await mergedOne(stores, { rowGroupRows: 2000 });
    expect(await spansOf(rowGroups, traceIdsOf(spans))).toEqual(expected);
    const pages = await mergedOne(stores, { rowGroupRows: 500, pageRows: 100, maxGroupBytes: 0 });
    expect(await spansOf(pages, traceIdsOf(spans))).toEqual(expected);
  });

  test('makes row groups of fewer spans where spans are large', { timeout: 60_000 }, async () => {
    const spans = Array.from({ length: 40 }, (_, i) =>
      spanOf(i < 30 ? 0 : i, i, { attributes: [['body', `${i} `.repeat(500_000)]] }),
    );
    const stores = storesOf(
      spans,
      spans.map((_, i) => i % 2),
    );
    const store = await mergedOne(stores);
    const set = buildSet(spans);
    expect(await spansOf(store, traceIdsOf(spans))).toEqual(plainSpans(set, blockOrder(set)));
    const { groups } = (await readerOf(store).index()).spans;
    for (const { rows } of groups) expect(rows).toBeLessThanOrEqual(25);
  });

  test('gives a key a column that had one in one input and lay in the overflow of another', async () => {
    const some = (first: number, count: number): TestAttribute[] =>
      Array.from({ length: count }, (_, k) => [`key-${first + k}`, `v${k}`]);
    // 600 keys: the first input has no column of those above 511, the second has.
    const crowded = Array.from({ length: 20 }, (_, i) =>
      spanOf(i, 0, { attributes: some(i < 10 ? 0 : 512, i < 10 ? 512 : 88), events: [{ attributes: some(0, 600) }] }),
    );
    const plain = Array.from({ length: 30 }, (_, i) => spanOf(i, 1, { attributes: some(512, 88) }));
    const spans = [...crowded, ...plain];
    const stores = storesOf(
      spans,
      spans.map((_, i) => (i < 20 ? 0 : 1)),
    );
    const [first] = await Promise.all(stores.map(async (store) => (await readerOf(store).index()).spans.columns));
    const hasColumn = (columns: typeof first, name: string): boolean =>
      columns?.some(({ schema }) => schema.name === name) === true;
    expect(hasColumn(first, 'attr.key-5')).toBe(true);
    const store = await mergedOne(stores);
    const { columns } = (await readerOf(store).index()).spans;
    for (let key = 512; key < 600; key++) expect(hasColumn(columns, `attr.key-${key}`)).toBe(true);
    const set = buildSet(spans);
    expect(await spansOf(store, traceIdsOf(spans))).toEqual(plainSpans(set, blockOrder(set)));
    // All values of a promoted key are in its column.
    const run = await readerOf(store).readRun({ first: 0, end: 1 });
    const none = new Set<never>();
    await run.fetch({ fields: none, keys: new Set(['key-599']), eventFields: none, eventKeys: none });
    const [column] = run.attributes('key-599');
    expect(column?.rows ?? column?.codes.filter((code) => code >= 0)).toHaveLength(40);
  });

  test('sends traces where they belong, and leaves some out', async () => {
    const spans = Array.from({ length: 300 }, (_, i) => spanOf(i % 60, i));
    const stores = storesOf(
      spans,
      spans.map((_, i) => i % 4),
    );
    const route = (id: Uint8Array): number => ((id[15] as number) % 3) - 1;
    const { merged, result } = await mergeStored(stores, { route, outputs: 2, rowGroupRows: 40, maxRows: 70 });
    expect(result.inputRows).toBe(300);
    expect(merged.length).toBeGreaterThan(2);
    const set = buildSet(spans);
    const seen: PlainSpan[] = [];
    for (const { content, store } of merged) {
      expect(content.rows).toBeLessThanOrEqual(70);
      const own = await spansOf(store, traceIdsOf(spans));
      expect(own).toHaveLength(content.rows);
      for (const { traceId } of own) expect(route(hexToBytes(traceId))).toBe(content.output);
      seen.push(...own);
    }
    expect(seen.length + result.droppedRows).toBe(300);
    const kept = plainSpans(set, blockOrder(set)).filter(({ traceId }) => route(hexToBytes(traceId)) >= 0);
    expect(seen.sort((a, b) => (a.traceId + a.spanId < b.traceId + b.spanId ? -1 : 1))).toEqual(
      kept.sort((a, b) => (a.traceId + a.spanId < b.traceId + b.spanId ? -1 : 1)),
    );
  });

  test('writes nothing where no trace is left', async () => {
    const stores = storesOf([spanOf(0, 0)], [0]);
    const { merged, result } = await mergeStored(stores, { route: () => -1 });
    expect(merged).toEqual([]);
    expect(result).toEqual({ blocks: [], inputRows: 1, resends: 0, droppedRows: 1 });
  });

  test('makes a filter no larger than what its entries need', async () => {
    const random = seededRandom(3);
    const spans = Array.from({ length: 3000 }, (_, i) =>
      spanOf(i, i, { attributes: [['customer', `c${random.u32() % 500}`]] }),
    );
    const apart = storesOf(
      spans,
      spans.map((_, i) => i % 6),
    );
    const same = storesOf(
      [...spans, ...spans, ...spans, ...spans],
      Array.from({ length: 12_000 }, (_, i) => Math.floor(i / 3000)),
    );
    for (const stores of [apart, same]) {
      const store = await mergedOne(stores);
      const whole = encodeBlock(buildSet(spans), blockOrder(buildSet(spans)));
      expect(store.place.sections.filter.length).toBeLessThan(whole.filterBytes * 2);
      const reader = readerOf(store);
      for (const { traceId } of spans) expect(await reader.mayHoldTrace(hexToBytes(traceId))).toBe(true);
    }
  });

  test('ends when it is aborted', async () => {
    const stores = storesOf([spanOf(0, 0)], [0]);
    await expect(mergeStored(stores, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('damaged inputs', () => {
  const spans = Array.from({ length: 200 }, (_, i) =>
    spanOf(i % 30, i, {
      attributes: [
        ['text', `value ${i % 30}`],
        ['int', BigInt(i * i)],
        ['bool', i % 3 === 0],
      ],
      ...(i % 9 === 0 && { overflow: Uint8Array.of(0x50, i % 100), statusMessage: 'failed' }),
      events: i % 4 === 0 ? [{ name: 'e', time: BigInt(i) }, { link: 'cd'.repeat(24) }] : [],
    }),
  );
  const set = buildSet(spans);
  const expected = plainSpans(set, blockOrder(set));
  const stores = storesOf(
    spans,
    spans.map((_, i) => i % 2),
    70,
  );

  test('give a data error that names the block and the section, or the right answer', {
    timeout: 240_000,
  }, async () => {
    let noticed = 0;
    await fc.assert(
      fc.asyncProperty(
        // Filters and tables of traces are not read.
        fc.constantFrom('spans' as const, 'events' as const, 'index' as const),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom(0, 1 << 24),
        async (section, share, flip, maxGroupBytes) => {
          const [good, victim] = stores as [StoredBlock, StoredBlock];
          const { object, offset, length } = victim.place.sections[section];
          const bytes = (victim.objects.get(object) as Uint8Array).slice();
          const at = offset + Math.floor(share * length);
          bytes[at] = (bytes[at] as number) ^ flip;
          const objects = new Map(victim.objects).set(object, bytes);
          const readRange = async (name: string, from: number, count: number) =>
            (objects.get(name) as Uint8Array).slice(from, from + count);
          let store: StoredBlock;
          try {
            store = await mergedOne([good, { ...victim, objects, readRange }], { maxGroupBytes });
          } catch (error) {
            expect(error).toMatchObject({ kind: 'data', message: expect.stringMatching(/^\w+ of block input-1: /) });
            noticed++;
            return;
          }
          expect(await spansOf(store, traceIdsOf(spans))).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
    // One in three, about; most of what is flipped elsewhere is not read.
    expect(noticed).toBeGreaterThan(20);
  });

  test('that end early give a data error, and errors of reads pass through', async () => {
    const [good, victim] = stores as [StoredBlock, StoredBlock];
    const cut: StoredBlock['readRange'] = async (name, from, count) => {
      const bytes = await victim.readRange(name, from, count);
      return name === 'spans.parquet' ? bytes.subarray(0, count - 1) : bytes;
    };
    await expect(mergeStored([good, { ...victim, readRange: cut }])).rejects.toMatchObject({
      kind: 'data',
      message: expect.stringMatching(/^spans of block input-1: /),
    });
    const failure = dataError('disk', 'gone');
    const failing = async (): Promise<never> => Promise.reject(failure);
    await expect(mergeStored([good, { ...victim, readRange: failing }])).rejects.toMatchObject({ code: 'disk' });
  });
});
