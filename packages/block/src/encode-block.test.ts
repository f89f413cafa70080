import type { ColumnSetView } from '@vivace/columns';
import { hexToBytes, utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBlockCache } from './cache.ts';
import { type EncodeOptions, encodeBlock } from './encode-block.ts';
import { MAX_ATTRIBUTE_COLUMNS } from './layout.ts';
import { type BlockReader, openBlock } from './open-block.ts';
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
} from './testing.ts';

const SERVICE = utf8Encode('\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04cart');

function encode(set: ColumnSetView, options?: EncodeOptions): { store: StoredBlock; reader: BlockReader } {
  const store = storeBlock(encodeBlock(set, blockOrder(set), options));
  const cache = createBlockCache({ maxBytes: 1 << 26 });
  return { store, reader: openBlock({ place: store.place, readRange: store.readRange, cache }) };
}

function byTrace(spans: readonly PlainSpan[]): Map<string, PlainSpan[]> {
  const traces = new Map<string, PlainSpan[]>();
  for (const span of spans) {
    const list = traces.get(span.traceId);
    if (list) list.push(span);
    else traces.set(span.traceId, [span]);
  }
  return traces;
}

/** Every trace comes back as it was, by its id. */
async function expectRoundTrip(set: ColumnSetView, options?: EncodeOptions): Promise<void> {
  const { reader } = encode(set, options);
  const index = await reader.index();
  const sent = plainSpans(set, blockOrder(set));
  const traces = byTrace(sent);
  for (const [traceId, spans] of traces) {
    const read = await reader.readTrace(hexToBytes(traceId));
    if (read === undefined) throw new Error(`trace ${traceId} is missing`);
    expect(plainSpans(read, allRows(read))).toEqual(spans);
  }
  expect({ rows: index.rows, traces: index.traces }).toEqual({ rows: sent.length, traces: traces.size });
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

describe('a block', () => {
  test('gives every span back as it was', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitrarySpan, { minLength: 1, maxLength: 40 }),
        fc.record({ rowGroupRows: fc.integer({ min: 1, max: 50 }), pageRows: fc.integer({ min: 1, max: 20 }) }),
        async (spans, options) => {
          fc.pre(spans.some(({ dead }) => dead !== true));
          await expectRoundTrip(buildSet(spans), options);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('holds one span', async () => {
    await expectRoundTrip(buildSet([spanOf(0, 0)]));
  });

  test('keeps a trace that is larger than a row group in groups of its own', async () => {
    const spans = [spanOf(0, 0), spanOf(2, 0), spanOf(2, 1)];
    for (let i = 0; i < 1050; i++) {
      const parent = i === 0 ? {} : { parentId: (Math.floor(i / 3) + 1).toString(16).padStart(16, '0') };
      spans.push(spanOf(1, i, { ...parent, events: i % 7 === 0 ? [{ name: `e${i}`, time: 5n }] : [] }));
    }
    const set = buildSet(spans);
    const options = { rowGroupRows: 100, pageRows: 30 };
    await expectRoundTrip(set, options);
    const { reader, store } = encode(set, options);
    const index = await reader.index();
    expect(index.spans.groups.map(({ rows }) => rows)).toEqual([1, ...Array.from({ length: 10 }, () => 100), 50, 2]);
    await reader.readTrace(hexToBytes(spanOf(1, 0).traceId));
    expect(store.reads).toHaveLength(4);
  });

  test('keeps 600 attribute keys: the most frequent as columns, the rest in overflow', async () => {
    const spans: TestSpan[] = [];
    for (let i = 0; i < 40; i++) {
      const some: TestAttribute[] = [];
      for (let k = 0; k < 600; k++)
        if (k < 300 || k % 40 === i) some.push([`key-${k}`, k % 2 === 0 ? `v${i}` : BigInt(i)]);
      spans.push(spanOf(i % 3, i, { attributes: some, events: [{ name: 'e', attributes: some }] }));
    }
    const set = buildSet(spans);
    await expectRoundTrip(set);
    const { reader } = encode(set);
    const index = await reader.index();
    expect(index.spans.columns.filter(({ attribute }) => attribute)).toHaveLength(MAX_ATTRIBUTE_COLUMNS);
    const summary = await reader.readSummary();
    expect(summary.attributes.filter(({ scope }) => scope === 'span')).toHaveLength(600);
  });

  test('keeps keys that differ only by case', async () => {
    const set = buildSet([
      spanOf(0, 0, {
        attributes: [
          ['userid', 'a'],
          ['userId', 'b'],
          ['USERID', 7n],
        ],
      }),
      spanOf(0, 1, { attributes: [['userid', 'c']] }),
    ]);
    await expectRoundTrip(set);
    const { reader } = encode(set);
    const { columns } = (await reader.index()).spans;
    expect(columns.flatMap(({ schema, attribute }) => (attribute ? [schema.name] : []))).toEqual([
      'attr.USERID#int',
      'attr.userId',
    ]);
  });

  test('keeps the order of equal keys, of which the first loses its column', async () => {
    const second = Uint8Array.of(0x4a, 12, 0x0a, 1, 0x6b, 0x12, 7, 0x0a, 5, ...utf8Encode('later'));
    const set = buildSet([
      spanOf(0, 0, { attributes: [['k', 'first']], overflow: second }),
      spanOf(0, 1, { attributes: [['K', 'x']] }),
      spanOf(0, 2, { attributes: [['K', 'x']] }),
    ]);
    const { reader } = encode(set);
    const read = await reader.readTrace(hexToBytes(spanOf(0, 0).traceId));
    const { rows, codes, count, dictionary } = read?.overflow ?? expect.unreachable();
    expect([count, rows[0]]).toEqual([1, 0]);
    const code = codes[0] as number;
    const fragment = dictionary.bytes.slice(dictionary.offsets[code], dictionary.offsets[code + 1]);
    expect(Buffer.from(fragment).toString('latin1')).toMatch(/^J.*first.*J.*later$/s);
  });

  test('keeps spans that end before they start, and years 1970 and 2200', async () => {
    await expectRoundTrip(
      buildSet([
        spanOf(0, 0, { start: 1000n, end: 999n, overflow: Uint8Array.of(0x50, 7) }),
        spanOf(0, 1, { start: 7_258_118_400_000_000_001n, end: 0n }),
        spanOf(0, 2, { start: 0n, end: 7_258_118_400_000_000_001n }),
      ]),
    );
  });

  test('leaves out rows that are dead, their resources and their values', async () => {
    const set = buildSet([
      spanOf(0, 0, { attributes: [['kept', 'yes']] }),
      spanOf(1, 0, { dead: true, resource: SERVICE, attributes: [['lost', 'x']], events: [{ name: 'lost' }] }),
    ]);
    const { reader } = encode(set);
    const index = await reader.index();
    expect(index).toMatchObject({ rows: 1, traces: 1, eventRows: 0, resourceCount: 1 });
    expect(await reader.readTrace(hexToBytes(spanOf(1, 0).traceId))).toBeUndefined();
    const { attributes } = await reader.readSummary();
    expect(attributes.map((entry) => entry.key)).toEqual(['kept', 'name']);
  });

  test('is made of parts that can each be transferred to another thread', () => {
    const set = buildSet([spanOf(0, 0, { attributes: [['a', 'x']] }), spanOf(1, 1)]);
    const { sections } = encodeBlock(set, blockOrder(set));
    const parts = Object.values(sections).flat();
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    const moved = structuredClone(parts, { transfer: parts.map(({ buffer }) => buffer as ArrayBuffer) });
    expect(moved.reduce((sum, part) => sum + part.length, 0)).toBe(total);
    expect(moved.every(({ buffer, length }) => buffer.byteLength === length)).toBe(true);
    const again = Object.values(encodeBlock(set, blockOrder(set)).sections).flat();
    expect(again).toEqual(moved);
  });

  test('does not depend on the hash seed', () => {
    const set = buildSet(
      Array.from({ length: 200 }, (_, i) => spanOf(i % 9, i, { flags: i, parentId: spanOf(0, i % 50).spanId })),
    );
    const order = blockOrder(set);
    expect(encodeBlock(set, order, { seed: 1 })).toEqual(encodeBlock(set, order, { seed: -77 }));
  });

  test('reads a whole row group with traces in order', async () => {
    const set = buildSet(Array.from({ length: 300 }, (_, i) => spanOf(i % 40, i, { events: [{ time: BigInt(i) }] })));
    const { reader } = encode(set, { rowGroupRows: 100, pageRows: 16 });
    const { groups } = (await reader.index()).spans;
    const read: PlainSpan[] = [];
    for (let group = 0; group < groups.length; group++) {
      const part = await reader.readGroup(group);
      read.push(...plainSpans(part, allRows(part)));
    }
    expect(groups.length).toBeGreaterThan(2);
    expect(read).toEqual(plainSpans(set, blockOrder(set)));
  });
});
