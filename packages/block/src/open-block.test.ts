import { concatBytes, hexToBytes } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { createBlockCache } from './cache.ts';
import { encodeBlock } from './encode-block.ts';
import { type BlockReader, openBlock } from './open-block.ts';
import { placeTrace, planEvents, planReads, planTrace } from './plan-trace.ts';
import { allRows, blockOrder, buildSet, plainSpans, type StoredBlock, storeBlock, type TestSpan } from './testing.ts';

const id = (trace: number): string => `${trace + 1}`.padStart(8, '0').repeat(4);

/** 2,000 traces of five spans; every tenth has an event on its third span. */
const spans = Array.from(
  { length: 10_000 },
  (_, i): TestSpan => ({
    traceId: id(Math.floor(i / 5)),
    spanId: `${i + 1}`.padStart(16, '0'),
    start: BigInt(i),
    end: BigInt(i + 10),
    attributes: [
      ['n', BigInt(i)],
      ['text', `t${i % 100}`],
    ],
    events: i % 50 === 2 ? [{ name: 'e', time: BigInt(i) }] : [],
  }),
);
const set = buildSet(spans);
const encoded = encodeBlock(set, blockOrder(set), { rowGroupRows: 2500, pageRows: 256 });

function open(options: { indexReadBytes?: number; single?: number } = {}): { reader: BlockReader; store: StoredBlock } {
  const store = storeBlock(encoded, options.single);
  const cache = createBlockCache({ maxBytes: 1 << 26 });
  return { store, reader: openBlock({ place: store.place, readRange: store.readRange, cache, ...options }) };
}

describe('a lookup by id', () => {
  test('reads filter, index, spans and events once each, and nothing when warm', async () => {
    const { reader, store } = open({ single: 0 });
    const read = await reader.readTrace(hexToBytes(id(10)));
    expect(read && plainSpans(read, allRows(read))).toEqual(plainSpans(set, [50, 51, 52, 53, 54]));
    expect(store.reads.map(({ object }) => object).sort()).toEqual([
      'events.parquet',
      'filter',
      'index',
      'spans.parquet',
    ]);
    store.reads.length = 0;
    await reader.readTrace(hexToBytes(id(11)));
    expect(store.reads.map(({ object, length }) => [object, length])).toEqual([['filter', 32]]);
    store.reads.length = 0;
    expect(await reader.readTrace(hexToBytes(id(12)), { isNamed: true })).toBeDefined();
    expect(await reader.readTrace(hexToBytes('f'.repeat(32)), { isNamed: true })).toBeUndefined();
    expect(store.reads).toEqual([]);
    store.reads.length = 0;
    await reader.readTrace(hexToBytes(id(11)));
    expect(store.reads).toEqual([]);
  });

  test('reads a filter of a few kilobytes whole, and nothing for ids that it excludes after that', async () => {
    const few = buildSet(spans.slice(0, 500));
    const small = storeBlock(encodeBlock(few, blockOrder(few)));
    const cache = createBlockCache({ maxBytes: 1 << 20 });
    const reader = openBlock({ place: small.place, readRange: small.readRange, cache });
    const { length } = small.place.sections.filter;
    let excluded = 0;
    for (let trace = 0; trace < 200; trace++) {
      const mayHold = await reader.mayHoldTrace(hexToBytes(id(trace)));
      if (trace < 100) expect(mayHold).toBe(true);
      else if (!mayHold) excluded++;
    }
    expect(excluded).toBeGreaterThan(80);
    expect(small.reads.map((read) => read.length)).toEqual([length]);
    expect(length).toBeGreaterThan(1000);
  });

  test('reads a larger filter whole when it was asked eight times, and nothing of it after that', async () => {
    const { reader, store } = open();
    const { length } = store.place.sections.filter;
    expect(length).toBeGreaterThan(16 * 1024);
    const lengths = () => store.reads.map((read) => read.length);
    let excluded = 0;
    for (let trace = 0; lengths().at(-1) !== length; trace++) {
      const absent = (trace + 1).toString(16).padStart(2, '0').repeat(16);
      if (!(await reader.mayHoldTrace(hexToBytes(absent)))) excluded++;
      expect(trace).toBeLessThan(20);
    }
    expect(lengths()).toEqual([...Array.from({ length: 8 }, () => 32), length]);
    for (let trace = 0; trace < 100; trace++) expect(await reader.mayHoldTrace(hexToBytes(id(trace)))).toBe(true);
    expect(excluded).toBeGreaterThan(0);
    expect(store.reads.length).toBe(9);
  });

  test('finds filters in their own memory, whatever scans have put beside them', async () => {
    const store = storeBlock(encoded);
    const cache = createBlockCache({ maxBytes: 1 << 16, filterBytes: 1 << 16 });
    const reader = openBlock({ place: store.place, readRange: store.readRange, cache });
    await reader.mayHoldTrace(hexToBytes(id(3)));
    for (let i = 0; i < 100; i++) cache.put(`other ${i}`, {}, 10_000);
    store.reads.length = 0;
    await reader.mayHoldTrace(hexToBytes(id(3)));
    expect(store.reads).toEqual([]);
  });

  test('reads nothing of a block whose bytes were kept when it was written', async () => {
    const { reader, store } = open();
    const bytes = (name: keyof typeof encoded.sections) => concatBytes(encoded.sections[name]);
    reader.keep({
      index: bytes('index'),
      filter: bytes('filter'),
      spans: bytes('spans'),
      events: bytes('events'),
    });
    for (const trace of [0, 10, 999, 1999]) {
      const read = await reader.readTrace(hexToBytes(id(trace)));
      const rows = Array.from({ length: 5 }, (_, i) => 5 * trace + i);
      expect(read && plainSpans(read, allRows(read))).toEqual(plainSpans(set, rows));
    }
    expect(await reader.readTrace(hexToBytes('f'.repeat(32)))).toBeUndefined();
    expect(store.reads).toEqual([]);
  });

  test('of a trace that is not there reads 32 bytes', async () => {
    const store = storeBlock(encoded);
    for (let trace = 5000; trace < 5200; trace++) {
      // One that knows nothing of the block.
      const cache = createBlockCache({ maxBytes: 1 << 26 });
      const reader = openBlock({ place: store.place, readRange: store.readRange, cache });
      expect(await reader.readTrace(hexToBytes(id(trace)))).toBeUndefined();
    }
    const others = store.reads.filter(({ length }) => length !== 32);
    expect(store.reads.length - others.length).toBe(200);
    // A wrong "maybe" costs the index, which the trace list in it answers.
    expect(others.length).toBeLessThanOrEqual(5);
  });

  test('takes at most five reads when the index is too large to be read at once', async () => {
    const { reader, store } = open({ indexReadBytes: 1500, single: 0 });
    for (const trace of [0, 700, 1999]) {
      const read = await reader.readTrace(hexToBytes(id(trace)));
      expect(read?.spanCount).toBe(5);
    }
    const cold = open({ indexReadBytes: (await reader.index()).summary.offset, single: 0 });
    await cold.reader.readTrace(hexToBytes(id(10)));
    expect(cold.store.reads).toHaveLength(5);
    expect((await cold.reader.readSummary()).attributes.map(({ key }) => key)).toEqual([
      'n',
      'text',
      'event:name',
      'name',
    ]);
    expect(store.reads.length).toBeGreaterThan(5);
  });

  test('works the same on one object', async () => {
    const { reader, store } = open({ single: 1 << 24 });
    const read = await reader.readTrace(hexToBytes(id(1999)));
    expect(read && plainSpans(read, allRows(read))).toEqual(plainSpans(set, [9995, 9996, 9997, 9998, 9999]));
    expect([...store.objects.keys()]).toEqual(['block']);
  });

  test('refuses an id of another length', async () => {
    await expect(open().reader.readTrace(new Uint8Array(8))).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('keeps its bytes in the cache within bounds', async () => {
    const store = storeBlock(encoded);
    const cache = createBlockCache({ maxBytes: 300_000 });
    const reader = openBlock({ place: store.place, readRange: store.readRange, cache });
    for (let trace = 0; trace < 2000; trace += 97) {
      expect((await reader.readTrace(hexToBytes(id(trace))))?.spanCount).toBe(5);
      expect(cache.bytes).toBeLessThanOrEqual(300_000);
    }
  });
});

test('resources too large for the index are read from their table', { timeout: 30_000 }, async () => {
  const large = buildSet(
    Array.from({ length: 60 }, (_, i): TestSpan => {
      // Resource { field 99: 100 KB }, an unknown field kept exactly, different for each span.
      const content = new Uint8Array(100_000).fill(i);
      const field = Uint8Array.of(0x9a, 0x06, 0xa0, 0x8d, 0x06, ...content);
      const size = field.length;
      const resource = Uint8Array.of(0x0a, (size & 0x7f) | 0x80, ((size >>> 7) & 0x7f) | 0x80, size >>> 14, ...field);
      return { traceId: id(i % 20), spanId: `${i + 1}`.padStart(16, '0'), start: BigInt(i), end: BigInt(i), resource };
    }),
  );
  const store = storeBlock(encodeBlock(large, blockOrder(large)), 0);
  const cache = createBlockCache({ maxBytes: 1 << 26 });
  const reader = openBlock({ place: store.place, readRange: store.readRange, cache });
  const read = await reader.readTrace(hexToBytes(id(7)));
  expect(read && plainSpans(read, allRows(read))).toEqual(plainSpans(large, [7, 27, 47]));
  expect(store.reads.map(({ object }) => object)).toEqual(['filter', 'index', 'spans.parquet', 'resources.parquet']);
  expect((await reader.index()).resources).toBeUndefined();
});

describe('the plan', () => {
  test('names the row group, the rows and the event rows of a trace', async () => {
    const { reader } = open();
    const index = await reader.index();
    expect(index.spans.groups.map(({ rows }) => rows)).toEqual([2500, 2500, 2500, 2500]);
    const traceId = hexToBytes(id(600));
    const place = placeTrace(index, traceId);
    expect(place).toEqual({ group: 1, ownGroups: 0 });
    const list = await reader.readTraceList(1);
    expect(list.count).toBe(500);
    const plan = planTrace(index, { group: 1, ownGroups: 0 }, list, traceId);
    expect(plan).toEqual([{ position: 100, ranges: [{ group: 1, from: 500, to: 505 }] }]);
    const events = planEvents(index, { group: 1, from: 500, to: 505 });
    expect(events.from).toBeLessThanOrEqual(10);
    expect(events.to).toBeGreaterThanOrEqual(11);
    expect(events.to - events.from).toBeLessThan(5);
    expect(placeTrace(index, new Uint8Array(16))).toBeUndefined();
  });

  test('joins neighbouring row groups into reads of bounded size', () => {
    const groups = [100, 100, 100, 100].map((length, i) => ({
      firstRow: i,
      rows: 1,
      offset: 4 + 100 * i,
      length,
      directory: new Uint8Array(0),
    }));
    expect(planReads(groups, [0, 1, 2], 250)).toEqual([
      { offset: 4, length: 200, groups: [0, 1] },
      { offset: 204, length: 100, groups: [2] },
    ]);
    expect(planReads(groups, [0, 2], 1000)).toHaveLength(2);
  });
});

test('the value summary lists values with their counts until there are too many', async () => {
  const { attributes } = await open().reader.readSummary();
  const [n, text, event] = attributes;
  expect(n).toMatchObject({ scope: 'span', key: 'n', type: 'int', total: 10_000, truncated: true, values: [] });
  expect(text).toMatchObject({ scope: 'span', key: 'text', type: 'string', total: 10_000, truncated: false });
  expect(text?.values).toHaveLength(100);
  expect(text?.values.every(({ count }) => count === 100)).toBe(true);
  expect(event).toMatchObject({ scope: 'intrinsic', key: 'event:name', total: 200 });
});
