import type { ColumnSetView } from '@vivace/columns';
import { expect, test } from 'vitest';
import { Heads, type SealedHead } from './heads.ts';
import { spanRequest, spansOf, traceIdOf } from './testing/spans.ts';

function openHeads(): Heads {
  const limits = { maxAttributeBytes: 1000, maxTraceBytes: 1_000_000 };
  return new Heads({ limits, maxColumns: 16, seed: 1, poolBytes: 10_000_000 });
}

test('a head is found open and sealed, until it is dropped', () => {
  const heads = openHeads();
  heads.push('a', spanRequest([1, 2]).bytes);
  const sealed = heads.seal('a');
  expect(sealed).toMatchObject({ generation: 1, rows: 2 });
  heads.push('a', spanRequest([3]).bytes);
  heads.push('b', spanRequest([4]).bytes);
  expect(spansOf(heads.trace(['a'], traceIdOf(1)))).toEqual([1, 2, 3]);
  expect(spansOf(heads.trace(['a', 'b'], traceIdOf(1)))).toEqual([1, 2, 3, 4]);
  heads.drop(1);
  expect(spansOf(heads.trace(['a'], traceIdOf(1)))).toEqual([3]);
  expect(heads.trace(['c'], traceIdOf(1))).toEqual([]);
});

test('the memory of heads comes back when they are dropped', () => {
  const heads = openHeads();
  const empty = heads.size;
  for (let round = 0; round < 3; round++) {
    heads.push('a', spanRequest([1, 2], { padding: 500 }).bytes);
    expect(heads.size).toBeGreaterThan(empty);
    expect(heads.sizeOf('a')).toBe(heads.size);
    heads.drop(heads.seal('a')?.generation as number);
    expect(heads.size).toBe(empty);
  }
  heads.drop(77);
  expect(heads.seal('a')).toBeUndefined();
});

test('a request that cannot be decoded is refused whole, and the next one is taken', () => {
  const heads = openHeads();
  const { bytes } = spanRequest([1, 2]);
  expect(heads.push('a', bytes.slice(0, -3))).toMatchObject({ malformed: expect.stringContaining('') });
  expect(heads.trace(['a'], traceIdOf(1))).toEqual([]);
  expect(heads.push('a', bytes)).toMatchObject({ accepted: 2, rejected: 0 });
});

test('a span over a limit is refused by itself', () => {
  const heads = openHeads();
  expect(heads.push('a', spanRequest([1], { padding: 2000 }).bytes)).toMatchObject({ accepted: 0, rejected: 1 });
});

test('before the rows of a head have to grow, it counts as large as it will be then', () => {
  const heads = openHeads();
  let told = 0;
  for (let first = 1; first < 1020; first += 10) {
    heads.push('a', spanRequest(Array.from({ length: 10 }, (_, i) => first + i)).bytes);
    if (first < 1000) expect(heads.sizeOf('a')).toBe(heads.size);
    told = heads.sizeOf('a');
  }
  const before = heads.size;
  expect(told).toBeGreaterThan(before + 1024 * 55);
  heads.push('a', spanRequest([1021, 1022, 1023, 1024, 1025]).bytes);
  expect(heads.size).toBeGreaterThan(before + 1024 * 55);
  expect(heads.sizeOf('a')).toBe(heads.size);
  expect(told).toBeGreaterThan(0.9 * heads.size);
});

/** Enough rows for columns that have memory of their own. */
function manySpans(first: number): Uint8Array {
  return spanRequest(Array.from({ length: 2000 }, (_, i) => first + i)).bytes;
}

function buffersOf(view: ColumnSetView): unknown[] {
  return [view.spanId, view.start, view.trace].map(({ buffer }) => buffer);
}

test('the memory of a dropped generation is filled again', () => {
  const heads = openHeads();
  heads.push('a', manySpans(1));
  const first = heads.seal('a') as SealedHead;
  heads.drop(first.generation);
  heads.push('a', manySpans(5001));
  const second = heads.seal('a') as SealedHead;
  expect(buffersOf(second.view)).toEqual(buffersOf(first.view));
  expect(second.rows).toBe(2000);
  heads.drop(second.generation);
  heads.trim();
  heads.push('a', manySpans(9001));
  const third = heads.seal('a') as SealedHead;
  for (const buffer of buffersOf(third.view)) expect(buffersOf(second.view).includes(buffer)).toBe(false);
});

test('what a query has seen stays as it was, also when its rows grow out of it or are dropped', () => {
  const heads = openHeads();
  heads.push('a', manySpans(1));
  const open = heads.views(['a'])[0]?.view as ColumnSetView;
  const rows = (view: ColumnSetView) => [...view.spanId.subarray(0, 2 * view.spanCount)];
  const seen = rows(open);
  for (let first = 2001; first < 20_000; first += 2000) heads.push('a', manySpans(first));
  const sealed = heads.seal('a') as SealedHead;
  const later = heads.views(['a'])[0]?.view as ColumnSetView;
  const seenLater = rows(later);
  heads.drop(sealed.generation);
  for (let first = 1_000_001; first < 1_030_000; first += 2000) heads.push('a', manySpans(first));
  expect(rows(open)).toEqual(seen);
  expect(rows(later)).toEqual(seenLater);
});
