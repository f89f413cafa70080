import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hexToBytes, seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { mergeSegments, sortPostings } from './merge-segments.ts';
import { bucketIn, bucketRange, checkSegment, findBlocks } from './segment-reader.ts';
import type { SegmentPlace, WrittenSegment } from './segment-writer.ts';
import { keyHash, traceHash } from './trace-hash.ts';

const ID = '0199c82c-c07b-7001-8000-0123456789ab';
const random = seededRandom(5);
const count = 2500;
const hashes = Uint32Array.from({ length: count }, () => random.u32());
const ordinals = Float64Array.from({ length: count }, () => 2 ** 33 + (random.u32() % 7));

const segment = mergeSegments({
  id: ID,
  first: 2 ** 33,
  end: 2 ** 33 + 7,
  segments: [],
  postings: [sortPostings(hashes, ordinals)],
  current: (ordinal) => ordinal,
});
const isDamage = { kind: 'data', code: 'trace-index' };

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

test('every flipped byte of a bucket, and every cut, is a data error', () => {
  const [hash] = hashes as unknown as [number];
  const bucket = bucketIn(segment, segment.bytes, hash).slice();
  expect(findBlocks(segment, bucket, hash)).toContain(ordinals[0]);
  for (let at = 0; at < bucket.length; at++) {
    const byte = bucket[at] as number;
    for (const flip of [1, 128, 255]) {
      bucket[at] = byte ^ flip;
      const error = errorOf(() => findBlocks(segment, bucket, hash));
      if ((error as typeof isDamage | undefined)?.code !== 'trace-index') expect(error).toMatchObject(isDamage);
    }
    bucket[at] = byte;
  }
  for (const length of [0, 3, 4, bucket.length - 1]) {
    expect(errorOf(() => findBlocks(segment, bucket.subarray(0, length), hash))).toMatchObject(isDamage);
  }
});

test('every flipped byte of a header is a data error, and so is another segment', () => {
  const bytes = segment.bytes.slice();
  for (let at = 0; at < 64; at++) {
    bytes[at] = (bytes[at] as number) ^ 1;
    expect(
      errorOf(() => checkSegment(segment, bytes)),
      `byte ${at}`,
    ).toMatchObject(isDamage);
    bytes[at] = (bytes[at] as number) ^ 1;
  }
  checkSegment(segment, bytes);
  expect(errorOf(() => checkSegment({ ...segment, end: segment.end + 1 }, bytes))).toMatchObject(isDamage);
  expect(errorOf(() => checkSegment(segment, bytes.subarray(1)))).toMatchObject(isDamage);
});

test('a bucket from another place or another segment is a data error', () => {
  const [a, b] = [0, 2 ** 32 - 1];
  expect(bucketRange(segment, a)).not.toEqual(bucketRange(segment, b));
  expect(errorOf(() => findBlocks(segment, bucketIn(segment, segment.bytes, b), a))).toMatchObject(isDamage);
  const other: SegmentPlace = { ...segment, id: ID.replace('7001', '7002') };
  expect(errorOf(() => findBlocks(other, bucketIn(segment, segment.bytes, a), a))).toMatchObject(isDamage);
});

test('a place that cannot be is a data error before anything is read', () => {
  for (const wrong of [{ buckets: 0 }, { buckets: 2 ** 21 }, { stride: 0 }, { stride: 2 ** 15 }]) {
    expect(errorOf(() => bucketRange({ ...segment, ...wrong }, 5))).toMatchObject(isDamage);
  }
});

test('a damaged segment is not merged', () => {
  const bytes = segment.bytes.slice();
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  const merge = () =>
    mergeSegments({
      id: ID,
      first: segment.first,
      end: segment.end,
      segments: [{ place: segment, bytes, entries: segment.entries }],
      postings: [sortPostings(new Uint32Array(0), new Float64Array(0))],
      current: (ordinal) => ordinal,
    });
  expect(errorOf(merge)).toMatchObject(isDamage);
});

test('ids of 64 bits that were padded hash as their last eight bytes', () => {
  const short = hexToBytes('00000000000000000123456789abcdef');
  expect(traceHash(short)).toBe(keyHash(short, 8));
  const long = hexToBytes('0123456789abcdef0000000000000000');
  expect(traceHash(long)).toBe(traceHash(short));
});

// Segments of every version stay readable for ever; see golden.test.ts of the manifest.
const golden = new URL('../golden/v1/', import.meta.url);
const small = (): WrittenSegment =>
  mergeSegments({
    id: ID,
    first: 10,
    end: 20,
    segments: [],
    postings: [
      sortPostings(
        Uint32Array.from({ length: 2000 }, (_, i) => keyHash(new Uint8Array(Uint32Array.of(i, 7).buffer), 0)),
        Float64Array.from({ length: 2000 }, (_, i) => 10 + (i % 10)),
      ),
    ],
    current: (ordinal) => ordinal,
  });

if (process.env['VIVACE_WRITE_GOLDEN'] === '1') {
  const { bytes, ...place } = small();
  mkdirSync(golden, { recursive: true });
  writeFileSync(new URL('segment', golden), bytes);
  writeFileSync(new URL('place.json', golden), `${JSON.stringify(place)}\n`);
}

test('a segment of version 1 is read, and written, as it always was', () => {
  const bytes = new Uint8Array(readFileSync(new URL('segment', golden)));
  const place = JSON.parse(readFileSync(new URL('place.json', golden)).toString()) as SegmentPlace;
  checkSegment(place, bytes);
  for (let i = 0; i < 2000; i++) {
    const hash = keyHash(new Uint8Array(Uint32Array.of(i, 7).buffer), 0);
    expect(findBlocks(place, bucketIn(place, bytes, hash), hash)).toContain(10 + (i % 10));
  }
  expect(Buffer.from(small().bytes).equals(bytes)).toBe(true);
});
