import { seededRandom } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeSegments, sortPostings } from './merge-segments.ts';
import { bucketIn, bucketRange, findBlocks } from './segment-reader.ts';
import { segmentBytes, type WrittenSegment } from './segment-writer.ts';

const ID = '0199c82c-c07b-7001-8000-0123456789ab';
const OTHER = '0199c82c-c07b-7002-8000-0123456789ab';

type Trace = [hash: number, ordinal: number];
const same = (ordinal: number): number => ordinal;

function postingsOf(traces: readonly Trace[]) {
  return sortPostings(
    Uint32Array.from(traces, ([hash]) => hash),
    Float64Array.from(traces, ([, ordinal]) => ordinal),
  );
}

function build(traces: readonly Trace[], first = 0, end = 100, id = ID): WrittenSegment {
  return mergeSegments({ id, first, end, segments: [], postings: [postingsOf(traces)], current: same });
}

/** What a reader finds by one range read, and in the whole. */
function look(segment: WrittenSegment, hash: number): number[] | undefined {
  const { offset, length } = bucketRange(segment, hash);
  const found = findBlocks(segment, segment.bytes.slice(offset, offset + length), hash);
  expect(findBlocks(segment, bucketIn(segment, segment.bytes, hash), hash)).toEqual(found);
  return found?.sort((a, b) => a - b);
}

function naive(traces: readonly Trace[], hash: number): number[] {
  return [...new Set(traces.filter(([of]) => of === hash).map(([, ordinal]) => ordinal))].sort((a, b) => a - b);
}

const random = seededRandom(3);
const many = (count: number, ordinals: number, first = 0): Trace[] =>
  Array.from({ length: count }, () => [random.u32(), first + (random.u32() % ordinals)]);

const anyTraces = fc.array(
  fc.tuple(
    fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 7, 2 ** 32 - 1)),
    fc.integer({ min: 0, max: 99 }),
  ),
  { maxLength: 200 },
);

test('every trace is found in its blocks, and none in another', () => {
  fc.assert(
    fc.property(anyTraces, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (traces, absent) => {
      const segment = build(traces);
      expect(segment.bytes.length).toBe(segmentBytes(segment));
      for (const [hash] of [...traces, [absent] as const]) expect(look(segment, hash)).toEqual(naive(traces, hash));
    }),
  );
});

test('of many traces each is found with one read of a few kilobytes', () => {
  const traces = many(50_000, 1000);
  const segment = build(traces, 0, 1000);
  expect(segment.buckets).toBeGreaterThan(40);
  expect(segment.stride).toBeLessThan(8192);
  expect(segment.entries).toBe(traces.length);
  // Three bytes of hash and two of the block, and room that is not used.
  expect(segment.bytes.length / traces.length).toBeLessThan(6.5);
  for (const [hash, ordinal] of traces.slice(0, 500)) expect(look(segment, hash)).toContain(ordinal);
});

test('segments that are merged know what all of them knew', () => {
  fc.assert(
    fc.property(anyTraces, anyTraces, anyTraces, (a, b, c) => {
      const shifted = c.map(([hash, ordinal]): Trace => [hash, ordinal + 200]);
      const [first, second] = [
        build(a, 0, 100, OTHER),
        build(
          b.map(([hash, at]): Trace => [hash, at + 100]),
          100,
          200,
        ),
      ];
      const all = [...a, ...b.map(([hash, at]): Trace => [hash, at + 100]), ...shifted];
      const segments = [first, second].map((place) => ({ place, bytes: place.bytes, entries: place.entries }));
      const postings = [postingsOf(shifted)];
      const merged = mergeSegments({ id: ID, first: 0, end: 300, segments, postings, current: same });
      for (const [hash] of all) expect(look(merged, hash)).toEqual(naive(all, hash));
    }),
    { numRuns: 30 },
  );
});

test('blocks that were merged are one, and those that are gone are left out', () => {
  const traces: Trace[] = [
    [5, 0],
    [5, 1],
    [6, 1],
    [7, 2],
  ];
  const old = build(traces);
  const current = (ordinal: number): number | undefined => (ordinal === 2 ? undefined : 0);
  const segments = [{ place: old, bytes: old.bytes, entries: old.entries }];
  const merged = mergeSegments({ id: ID, first: 0, end: 100, segments, postings: [postingsOf([])], current });
  expect(merged.entries).toBe(2);
  expect([5, 6, 7].map((hash) => look(merged, hash))).toEqual([[0], [0], []]);
});

test('a trace of very many blocks may be in any, and stays so when segments are merged', () => {
  const wide = Array.from({ length: 40 }, (_, ordinal): Trace => [77, ordinal]);
  const segment = build([...wide, ...many(3000, 100)]);
  expect(look(segment, 77)).toBeUndefined();
  const segments = [{ place: segment, bytes: segment.bytes, entries: segment.entries }];
  const merged = mergeSegments({ id: OTHER, first: 0, end: 120, segments, postings: [postingsOf([])], current: same });
  expect(look(merged, 77)).toBeUndefined();
});

test('hashes that somebody has chosen to fill a bucket cost others little, and nothing is lost', () => {
  const crowd = Array.from({ length: 20_000 }, (_, i): Trace => [1_000_000 + (i >> 1), i % 90]);
  const others = many(40_000, 90);
  const segment = build([...crowd, ...others]);
  expect(segment.stride).toBeLessThan(9000);
  expect(look(segment, 1_000_000)).toBeUndefined();
  const known = others.filter(([hash]) => look(segment, hash) !== undefined);
  expect(known.length).toBeGreaterThan(0.95 * others.length);
  for (const [hash, ordinal] of known.slice(0, 300)) expect(look(segment, hash)).toContain(ordinal);
  // Buckets of another size: what was not known before must not be found to be absent now.
  const segments = [{ place: segment, bytes: segment.bytes, entries: segment.entries }];
  const postings = [postingsOf(many(5000, 10, 100)), postingsOf(many(4000, 10, 100))];
  const merged = mergeSegments({ id: OTHER, first: 0, end: 110, segments, postings, current: same });
  expect(merged.buckets).not.toBe(segment.buckets);
  for (const [hash, ordinal] of [...crowd.slice(0, 100), ...others.slice(0, 500)]) {
    const found = look(merged, hash);
    if (found !== undefined) expect(found).toContain(ordinal);
  }
});
