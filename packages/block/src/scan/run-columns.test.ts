import { concatBytes, seededRandom } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { createBlockCache, type LruBlockCache } from '../cache.ts';
import { type EncodedBlock, encodeBlock } from '../encode-block.ts';
import { type BlockReader, openBlock } from '../open-block.ts';
import { blockOrder, buildSet, type StoredBlock, storeBlock, type TestSpan } from '../testing.ts';
import { batchesOf } from './group-run.ts';
import type { ColumnNeeds } from './run-columns.ts';

const random = seededRandom(4);
const noise = (): string => Array.from({ length: 120 }, () => String.fromCharCode(33 + (random.u32() % 90))).join('');

/** Traces of four spans in two row groups; `m.noise` takes 240 KB of each, between `a` and `z`. */
const spans = Array.from(
  { length: 4000 },
  (_, i): TestSpan => ({
    traceId: (Math.floor(i / 4) + 1).toString(16).padStart(32, '0'),
    spanId: (i + 1).toString(16).padStart(16, '0'),
    start: 1_760_000_000_000_000_000n + BigInt(i),
    end: 1_760_000_000_000_000_100n + BigInt(i),
    attributes: [
      ['a', `a${i % 5}`],
      ['m.noise', noise()],
      ['z', BigInt(i % 5)],
    ],
    events: i % 10 === 0 ? [{ name: 'e', time: 1n }] : [],
    // In the second row group there are spans without a duration, and one that ends before it starts.
    ...(i % 7 === 0 && { overflow: Uint8Array.of(0x50, 7) }),
    ...(i === 3000 && { end: 1_760_000_000_000_003_000n }),
    ...(i === 3010 && { end: 17n }),
  }),
);
const block = encodeBlock(buildSet(spans), blockOrder(buildSet(spans)), { rowGroupRows: 2000, pageRows: 500 });

function open({ cache = createBlockCache({ maxBytes: 1 << 28 }) }: { cache?: LruBlockCache } = {}): {
  store: StoredBlock;
  reader: BlockReader;
} {
  const store = storeBlock(block, 0);
  return { store, reader: openBlock({ place: store.place, readRange: store.readRange, cache }) };
}

function keep(reader: BlockReader, { sections }: EncodedBlock): void {
  const bytes = (name: keyof typeof sections) => concatBytes(sections[name]);
  reader.keep({ index: bytes('index'), filter: bytes('filter'), spans: bytes('spans'), events: bytes('events') });
}

const needs = (part: Partial<ColumnNeeds>): ColumnNeeds => ({
  fields: new Set(),
  keys: new Set(),
  eventFields: new Set(),
  eventKeys: new Set(),
  ...part,
});
const hot = needs({ fields: new Set(['resource', 'name', 'kind', 'status', 'start', 'parentIds']) });

describe('columns of a row group', () => {
  test('are read in one range where they lie near one another', async () => {
    const { reader, store } = open();
    const [first] = batchesOf(await reader.index());
    const columns = await reader.readRun(first as { first: number; end: number });
    expect(store.reads.map(({ object }) => object)).toEqual(['index']);
    await columns.fetch(hot);
    expect(store.reads.map(({ object }) => object)).toEqual(['index', 'spans.parquet']);
    const { length } = store.reads[1] as { length: number };
    expect(columns.bytesRead).toBe(length);
    expect(length).toBeLessThan(60_000);
    expect(columns.start()[2 * 9]).toBe(Number(1_760_000_000_000_000_009n & 0xffffffffn));
  });

  test('are read in several where something large lies between', async () => {
    const { reader, store } = open();
    const columns = await reader.readRun({ first: 0, end: 1 });
    store.reads.length = 0;
    await columns.fetch(needs({ keys: new Set(['a', 'z']) }));
    expect(store.reads).toHaveLength(2);
    expect(columns.bytesRead).toBeLessThan(10_000);
    const [a] = columns.attributes('a');
    expect(a).toMatchObject({ type: 'string', rows: undefined, count: 2000 });
    expect(columns.attributes('z')).toMatchObject([{ type: 'int' }]);
  });

  test('are not read again while they are in the cache, decoded or not', async () => {
    const cache = createBlockCache({ maxBytes: 1 << 28 });
    const { reader, store } = open({ cache });
    const columns = await reader.readRun({ first: 0, end: 1 });
    await columns.fetch(hot);
    store.reads.length = 0;
    // Fetched, not decoded.
    const again = await open({ cache }).reader.readRun({ first: 0, end: 1 });
    await again.fetch(hot);
    expect(again.bytesRead).toBe(0);
    const before = cache.bytes;
    const start = again.start();
    expect(cache.bytes - before).toBeGreaterThanOrEqual(start.byteLength);
    // Decoded: the same memory.
    const third = await open({ cache }).reader.readRun({ first: 0, end: 1 });
    await third.fetch(hot);
    expect(third.bytesRead).toBe(0);
    expect(third.start()).toBe(start);
    expect(store.reads).toEqual([]);
  });

  test('are not read where the whole row group is in the cache', async () => {
    const { reader, store } = open();
    keep(reader, block);
    for (const run of batchesOf(await reader.index())) {
      const columns = await reader.readRun(run);
      await columns.fetch(
        needs({ fields: new Set(['end', 'overflow', 'scope', 'traceIds']), eventFields: new Set(['eventTime']) }),
      );
      expect(columns.end()).toHaveLength(2 * columns.rows);
      expect(columns.eventTime()).toHaveLength(2 * columns.eventRows);
    }
    expect(store.reads).toEqual([]);
  });

  test('are read again when a small cache has dropped them', async () => {
    const { reader, store } = open({ cache: createBlockCache({ maxBytes: 20_000 }) });
    for (let round = 0; round < 2; round++) {
      store.reads.length = 0;
      const columns = await reader.readRun({ first: 1, end: 2 });
      await columns.fetch(needs({ fields: new Set(['start', 'end', 'overflow']) }));
      expect(columns.end()[2 * 1010]).toBe(17);
      expect(columns.overflow().count).toBeGreaterThan(200);
      expect(store.reads.length).toBeGreaterThan(0);
    }
  });

  test('take the overflow for ends only where a duration of 0 may stand for another', async () => {
    const { reader, store } = open();
    const ends = needs({ fields: new Set(['end']) });
    const [plain, zero] = [await reader.readRun({ first: 0, end: 1 }), await reader.readRun({ first: 1, end: 2 })];
    store.reads.length = 0;
    await plain.fetch(ends);
    expect(store.reads).toHaveLength(1);
    await zero.fetch(ends);
    expect(store.reads).toHaveLength(3);
    expect(plain.end()[2 * 5]).toBe(Number(1_760_000_000_000_000_105n & 0xffffffffn));
    expect([...zero.end().subarray(2 * 1010, 2 * 1010 + 2)]).toEqual([17, 0]);
    expect([...zero.end().subarray(2 * 1000, 2 * 1000 + 2)]).toEqual([...zero.start().subarray(2000, 2002)]);
  });

  test('of events are read only where they are needed', async () => {
    const { reader, store } = open();
    const columns = await reader.readRun({ first: 0, end: 1 });
    await columns.fetch(needs({ fields: new Set(['start']) }));
    expect(store.reads.filter(({ object }) => object === 'events.parquet')).toEqual([]);
    await columns.fetch(needs({ eventFields: new Set(['eventName', 'eventKind']) }));
    expect(store.reads.filter(({ object }) => object === 'events.parquet')).toHaveLength(1);
    expect([...columns.eventSpan()].slice(0, 3)).toEqual([0, 10, 20]);
  });
});

test('a run that the block does not have is refused', async () => {
  const { reader } = open();
  for (const run of [
    { first: 0, end: 0 },
    { first: -1, end: 1 },
    { first: 1, end: 3 },
  ]) {
    await expect(reader.readRun(run)).rejects.toMatchObject({ kind: 'invalid' });
  }
});
