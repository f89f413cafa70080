import {
  type BlockReader,
  batchesOf,
  createBlockCache,
  type EncodeOptions,
  encodeBlock,
  openBlock,
  type SectionName,
} from '@vivace/block';
import {
  arbitrarySpan,
  blockOrder,
  buildSet,
  type PlainSpan,
  plainSpans,
  type StoredBlock,
  storeBlock,
  type TestAttribute,
  type TestSpan,
} from '@vivace/block/testing';
import { Columnizer, ColumnSet, type ColumnSetView } from '@vivace/columns';
import { isKind, seededRandom, utf8Encode } from '@vivace/kernel';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Batch } from './batch.ts';
import { blockBatch } from './block-batch.ts';
import { headBatch } from './head-batch.ts';
import { SourceFailure } from './source-failure.ts';
import { allNeeds, batchSpans } from './testing/batch-spans.ts';
import { randomTraces } from './testing/random-traces.ts';

const signal = new AbortController().signal;

function open(set: ColumnSetView, options?: EncodeOptions): { store: StoredBlock; reader: BlockReader } {
  const store = storeBlock(encodeBlock(set, blockOrder(set), options));
  return { store, reader: readerOf(store) };
}

function readerOf({ place, readRange }: StoredBlock): BlockReader {
  return openBlock({ place, readRange, cache: createBlockCache({ maxBytes: 1 << 27 }) });
}

/** The block's bytes in the cache, as when it was just written. */
function keep(reader: BlockReader, { place, objects }: StoredBlock): void {
  const bytes = (name: SectionName): Uint8Array => {
    const { object, offset, length } = place.sections[name];
    return (objects.get(object) as Uint8Array).slice(offset, offset + length);
  };
  reader.keep({ index: bytes('index'), filter: bytes('filter'), spans: bytes('spans'), events: bytes('events') });
}

async function batches(reader: BlockReader): Promise<Batch[]> {
  return Promise.all(batchesOf(await reader.index()).map((run) => blockBatch(reader, run)));
}

/** Spans as batches show them: without what no query asks for. */
function expectedSpans(set: ColumnSetView): PlainSpan[] {
  return plainSpans(set, blockOrder(set)).map((span) => ({
    ...span,
    flags: 0,
    traceState: '',
    events: span.events.map((event) => ({ ...event, traceState: '', link: event.link.replace(/^0+$/, '') })),
  }));
}

function keysOf(set: ColumnSetView) {
  return allNeeds(
    set.attributes.map(({ key }) => key),
    set.events.attributes.map(({ key }) => key),
  );
}

/** Blocks of a set, cold, warm and just written, and the set as a head hold the same spans. */
async function expectSame(set: ColumnSetView, options?: EncodeOptions): Promise<void> {
  const expected = expectedSpans(set);
  const needs = keysOf(set);
  const head = headBatch('head', set);
  await head.prepare(needs, signal);
  expect(batchSpans([head], needs)).toEqual(expected);
  const { reader, store } = open(set, options);
  for (const pass of ['cold', 'warm']) {
    store.reads.length = 0;
    const found = await batches(reader);
    for (const batch of found) await batch.prepare(needs, signal);
    expect(batchSpans(found, needs)).toEqual(expected);
    if (pass === 'warm') expect(store.reads).toEqual([]);
  }
  const kept = readerOf(store);
  keep(kept, store);
  const found = await batches(kept);
  for (const batch of found) await batch.prepare(needs, signal);
  expect(store.reads).toEqual([]);
  expect(batchSpans(found, needs)).toEqual(expected);
}

function spanOf(trace: number, number: number, more: Partial<TestSpan> = {}): TestSpan {
  return {
    traceId: (trace + 1).toString(16).padStart(32, 'a'),
    spanId: (number + 1).toString(16).padStart(16, '0'),
    start: 1_760_000_000_000_000_000n + BigInt(number % 7),
    end: 1_760_000_000_000_000_500n + BigInt(number),
    ...more,
  };
}

describe('a block batch and a head batch', () => {
  test('show the spans that were sent', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitrarySpan, { minLength: 1, maxLength: 40 }),
        fc.record({ rowGroupRows: fc.integer({ min: 1, max: 50 }), pageRows: fc.integer({ min: 1, max: 20 }) }),
        async (spans, options) => {
          fc.pre(spans.some(({ dead }) => dead !== true));
          await expectSame(buildSet(spans), options);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('show what a head keeps of requests and resends', async () => {
    let resent = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const set = new ColumnSet({ seed, maxColumns: 6 });
      const columnizer = new Columnizer(set, { maxAttributeBytes: 1 << 16, maxTraceBytes: 1 << 24 });
      for (const request of randomTraces(seededRandom(seed), { traces: 20 })) columnizer.add(request);
      resent += set.deadCount;
      await expectSame(set.view(), { rowGroupRows: 30, pageRows: 8 });
    }
    expect(resent).toBeGreaterThan(0);
  });

  test('show a trace of several row groups as one batch', async () => {
    const spans = [spanOf(0, 0, { attributes: [['few', 'x']] }), spanOf(2, 0), spanOf(2, 1)];
    for (let i = 0; i < 1050; i++) {
      spans.push(
        spanOf(1, i, {
          ...(i > 0 && { parentId: (Math.floor(i / 3) + 1).toString(16).padStart(16, '0') }),
          name: `op ${i % 100}`,
          attributes: i % 2 === 0 ? [['n', BigInt(i)]] : i % 90 === 1 ? [['few', `v${i}`]] : [],
          events: i % 7 === 0 ? [{ name: `e${i}`, time: 5n, attributes: [['k', `v${i % 3}`]] }] : [],
          ...(i % 50 === 0 && { end: 17n, overflow: Uint8Array.of(0x50, 7) }),
          ...(i % 50 === 1 && { end: 18n }),
        }),
      );
    }
    const set = buildSet(spans);
    await expectSame(set, { rowGroupRows: 100, pageRows: 30 });
    const { reader } = open(set, { rowGroupRows: 100, pageRows: 30 });
    const found = await batches(reader);
    expect(found.map(({ rows, traceCount }) => [rows, traceCount])).toEqual([
      [1, 1],
      [1050, 1],
      [2, 1],
    ]);
    expect(found.map(({ id }) => id)).toEqual(['block-1/0', 'block-1/1', 'block-1/12']);
  });

  test('show attributes that have no column in the overflow', async () => {
    const spans: TestSpan[] = [];
    for (let i = 0; i < 40; i++) {
      const some: TestAttribute[] = [];
      for (let k = 0; k < 600; k++)
        if (k < 300 || k % 40 === i) some.push([`key-${k}`, k % 2 === 0 ? `v${i}` : BigInt(i)]);
      spans.push(spanOf(i % 3, i, { attributes: some, events: [{ name: 'e', attributes: some }] }));
    }
    await expectSame(buildSet(spans));
  });

  test('have no column for a key that no row has', async () => {
    const set = buildSet([spanOf(0, 0, { attributes: [['__proto__', 'x']] })]);
    const { reader } = open(set);
    const needs = allNeeds(['__proto__', 'constructor'], ['toString']);
    for (const batch of [...(await batches(reader)), headBatch('head', set)]) {
      await batch.prepare(needs, signal);
      expect(batch.attributes('__proto__').map(({ type, count }) => [type, count])).toEqual([['string', 1]]);
      expect(batch.attributes('constructor')).toEqual([]);
      expect(batch.eventAttributes('toString')).toEqual([]);
    }
  });

  test('stop when they are told to', async () => {
    const set = buildSet([spanOf(0, 0)]);
    const { reader } = open(set);
    const needs = keysOf(set);
    for (const batch of [...(await batches(reader)), headBatch('head', set)]) {
      await expect(batch.prepare(needs, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    }
  });
});

test('a head batch keeps a trace without live rows, without positions', () => {
  const batch = headBatch('head', buildSet([spanOf(4, 0, { dead: true }), spanOf(3, 1), spanOf(3, 0)]));
  expect([...batch.traceFirst()]).toEqual([0, 0, 2]);
  expect([...(batch.order() ?? [])]).toEqual([2, 1]);
});

test('a column that was not prepared is a programmer’s error', async () => {
  const [batch] = await batches(open(buildSet([spanOf(0, 0)])).reader);
  const none = {
    fields: new Set<never>(),
    keys: new Set<string>(),
    eventFields: new Set<never>(),
    eventKeys: new Set<string>(),
  };
  await batch?.prepare(none, signal);
  expect([...(batch?.traceFirst() ?? [])]).toEqual([0, 1]);
  expect(() => batch?.end()).toThrow(expect.objectContaining({ kind: 'internal' }));
  expect(() => batch?.name()).toThrow(expect.objectContaining({ kind: 'internal' }));
  expect(() => batch?.resources()).toThrow(expect.objectContaining({ kind: 'internal' }));
});

describe('a damaged block', () => {
  const random = seededRandom(12);
  const set = buildSet(
    Array.from(
      { length: 400 },
      (_, i): TestSpan => ({
        traceId: `${i < 200 ? 7 : i % 50}`.padStart(32, '7'),
        spanId: `${i + 1}`.padStart(16, '0'),
        ...(i >= 50 && { parentId: `${(i % 60) + 1}`.padStart(16, '0') }),
        start: 1_760_000_000_000_000_000n + BigInt(random.u32()),
        end: i % 20 === 0 ? 5n : 1_760_000_010_000_000_000n + BigInt(random.u32()),
        name: `op ${i % 7}`,
        attributes: [
          ['text', `value ${i % 30}`],
          ['unique', `u${random.u32()}`],
          ['int', BigInt(i * i)],
          ['double', i / 3],
          ['bool', i % 3 === 0],
        ],
        ...(i % 9 === 0 && { overflow: Uint8Array.of(0x50, i % 100), statusMessage: 'failed' }),
        events:
          i % 4 === 0 ? [{ name: 'e', time: BigInt(i), attributes: [['k', `v${i}`]] }, { link: 'cd'.repeat(24) }] : [],
        scope: utf8Encode(`\x0a\x05\x0a\x03l${i % 10}b`),
      }),
    ),
  );
  const expected = expectedSpans(set);
  const needs = keysOf(set);
  const store = storeBlock(encodeBlock(set, blockOrder(set), { rowGroupRows: 150, pageRows: 32 }));
  const whole = store.objects.get('block') as Uint8Array;

  /** True where the damage was noticed; wrong values fail. */
  async function noticed(bytes: Uint8Array): Promise<boolean> {
    const readRange = async (_: string, offset: number, length: number) => bytes.slice(offset, offset + length);
    const reader = openBlock({ place: store.place, readRange, cache: createBlockCache({ maxBytes: 1 << 24 }) });
    try {
      const found = await batches(reader);
      for (const batch of found) await batch.prepare(needs, signal);
      expect(batchSpans(found, needs)).toEqual(expected);
    } catch (error) {
      const cause = error instanceof SourceFailure ? error.cause : error;
      if (!isKind(cause, 'data')) throw error;
      return true;
    }
    return false;
  }

  test('gives `data` errors or the values that were written', { timeout: 120_000 }, async () => {
    expect(await noticed(whole)).toBe(false);
    let errors = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = whole.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        if (await noticed(damaged)) errors++;
      }),
      { numRuns: 120 },
    );
    // The rest falls on the filter, on footers and on tables that batches do not read.
    expect(errors).toBeGreaterThan(25);
  });

  test('that was cut gives `data` errors', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        expect(await noticed(whole.subarray(0, length))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
