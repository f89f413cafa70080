import { seededRandom, uuidV7 } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteWriter } from './byte-writer.ts';
import { COMMIT_RING, FILE_MAX_BYTES, KIND_ROOT, ROOT_MAGIC } from './layout.ts';
import { commitOf, copyRoot, decodeRoot, emptyRoot, encodeRoot, type Root } from './root.ts';
import { anyRoot } from './testing/arbitraries.ts';
import { expectDamage, expectDamageNoticed, forged } from './testing/damage.ts';
import { makeEntry } from './testing/entries.ts';
import type { TraceSegment } from './trace-segment.ts';

const TENANT = 'Team-A';
const AT_MS = 1_760_000_000_000;
const random = seededRandom(1);
const decode = (bytes: Uint8Array): Root => decodeRoot(bytes, TENANT, AT_MS);

const segment = (first: number, end: number): TraceSegment => ({
  id: uuidV7(AT_MS, random),
  day: 20_000,
  first,
  end,
  holes: [first + 1],
  buckets: 3,
  stride: 512,
  entries: 70,
});
const small: Root = {
  ...emptyRoot(TENANT),
  version: 300,
  commits: ['0'.repeat(32), 'f'.repeat(32)],
  floorMs: AT_MS,
  aging: { floorMs: AT_MS, sinceMs: AT_MS },
  covered: new Map([[uuidV7(AT_MS, random), 77]]),
  pages: [
    { id: uuidV7(AT_MS, random), day: 20_000, lastDay: 20_001, entries: 3, bytes: 500, minStart: 1n, maxEnd: 2n },
  ],
  gravePages: [{ id: uuidV7(AT_MS, random), graves: 64, stampMs: AT_MS }],
  graves: [{ kind: 'block', id: uuidV7(AT_MS, random), objects: ['spans.parquet', 'index'], removedMs: AT_MS }],
  added: [makeEntry(random, AT_MS)],
  removed: new Set([uuidV7(AT_MS, random)]),
  nextOrdinal: 12,
  segments: [segment(0, 7), segment(7, 12)],
};

/** A root up to its commits, with `write` for the rest. */
function handMade(write: (writer: ByteWriter) => void, { version = 1, commits = 1 } = {}): Uint8Array {
  const writer = new ByteWriter();
  writer.text(TENANT);
  writer.varint(version);
  for (let zeros = 0; zeros < 3; zeros++) writer.varint(0);
  writer.varint(commits);
  for (let i = 0; i < commits; i++) writer.id('ab'.repeat(16));
  write(writer);
  return writer.finish(ROOT_MAGIC, KIND_ROOT);
}

const zeros = (count: number) => (writer: ByteWriter) => {
  for (let i = 0; i < count; i++) writer.varint(0);
};

test('a root reads as it was written', () => {
  fc.assert(
    fc.property(anyRoot(TENANT), (root) => {
      expect(decode(encodeRoot(root))).toEqual(root);
    }),
    { numRuns: 60 },
  );
});

test('every cut and every flipped bit of a root is noticed', () => {
  expectDamageNoticed(encodeRoot(small), decode);
});

test('what a root buried, and the floor that it set, get the time at which it was put', () => {
  const root = copyRoot(small);
  root.aging = { floorMs: AT_MS - 5, sinceMs: 0 };
  root.gravePages = [{ id: uuidV7(AT_MS, random), graves: 64, stampMs: 0 }];
  root.graves.push({ kind: 'page', id: uuidV7(AT_MS, random), objects: [], removedMs: 0 });
  const read = decodeRoot(encodeRoot(root), TENANT, AT_MS + 99);
  expect(read.aging).toEqual({ floorMs: AT_MS - 5, sinceMs: AT_MS + 99 });
  expect(read.gravePages.map(({ stampMs }) => stampMs)).toEqual([AT_MS + 99]);
  expect(read.graves.map(({ removedMs }) => removedMs)).toEqual([AT_MS, AT_MS + 99]);
});

test('a root of another tenant, version or kind is not taken', () => {
  const bytes = encodeRoot(small);
  expectDamage(() => decodeRoot(bytes, 'team-a', AT_MS), 'another tenant');
  expectDamage(() => decode(forged(bytes, 4, 3)), 'format 3, and this program knows 2');
  expectDamage(() => decode(forged(bytes, 6, 1)), 'another kind');
  expectDamage(() => decode(forged(bytes, 3, 0x47)), 'begin');
});

test('deletes, which this version does not know, keep a root from being read', () => {
  const rest = (deletes: number) => (writer: ByteWriter) => {
    writer.varint(0);
    writer.varint(deletes);
    zeros(7)(writer);
  };
  expect(decode(handMade(rest(0))).version).toBe(1);
  expectDamage(() => decode(handMade(rest(1))), 'deletes');
});

test('commits that do not fit the version are damage', () => {
  const most = { version: COMMIT_RING, commits: COMMIT_RING };
  expect(decode(handMade(zeros(9), most)).commits).toHaveLength(COMMIT_RING);
  expectDamage(() => decode(handMade(zeros(9), { version: 1, commits: 2 })), 'commits');
  expectDamage(() => decode(handMade(zeros(9), { version: 1, commits: 0 })), 'commits');
  expectDamage(() => decode(handMade(zeros(9), { version: 999, commits: COMMIT_RING + 1 })), 'commits');
});

test('a count larger than the file is refused before anything is read', () => {
  for (let lists = 0; lists < 9; lists++) {
    // Deletes and the next ordinal are numbers.
    if (lists === 1 || lists === 7) continue;
    const bytes = handMade((writer) => {
      zeros(lists)(writer);
      writer.varint(Number.MAX_SAFE_INTEGER);
    });
    expectDamage(() => decode(bytes), 'longer than the file');
  }
});

test('numbers beyond 2^53 - 1 and endless ones are damage', () => {
  for (const last of [0x10, 0x80]) {
    const bytes = handMade((writer) => {
      for (let i = 0; i < 7; i++) writer.u8(0xff);
      writer.u8(last);
      zeros(12)(writer);
    });
    expectDamage(() => decode(bytes), 'too large');
  }
});

test('segments that overlap, or are of ordinals that no block has, are damage', () => {
  const holed = (...holes: number[]): TraceSegment => ({ ...segment(0, 7), holes });
  for (const wrong of [
    [segment(0, 7), segment(6, 12)],
    [segment(7, 12), segment(0, 7)],
    [segment(0, 0)],
    [segment(0, 13)],
    [holed(7)],
    [holed(3, 3)],
  ]) {
    expectDamage(() => decode(encodeRoot({ ...small, segments: wrong })), 'trace index');
  }
});

test('a file beyond 4 MiB is not looked into', () => {
  expectDamage(() => decode(new Uint8Array(FILE_MAX_BYTES + 1)), 'too long');
});

test('the commit of a version is known as far back as the root remembers', () => {
  expect([301, 300, 299, 298].map((version) => commitOf(small, version))).toEqual([
    undefined,
    'f'.repeat(32),
    '0'.repeat(32),
    undefined,
  ]);
});

test('a copy is changed without changing the original', () => {
  const copy = copyRoot(small);
  copy.commits.pop();
  copy.covered.clear();
  copy.pages.pop();
  copy.gravePages.pop();
  copy.graves.pop();
  copy.added.pop();
  copy.removed.clear();
  copy.segments.pop();
  expect(encodeRoot(copy).length).toBeLessThan(encodeRoot(small).length);
  expect(decode(encodeRoot(small))).toEqual(small);
  expect([small.commits.length, small.covered.size, small.pages.length, small.gravePages.length]).toEqual([2, 1, 1, 1]);
  expect([small.graves.length, small.added.length, small.removed.size, small.segments.length]).toEqual([1, 1, 1, 2]);
});
