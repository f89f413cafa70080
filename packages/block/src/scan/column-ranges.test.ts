import { expect, test } from 'vitest';
import type { ChunkLayout, PageLayout } from '../parquet/directory.ts';
import { PLAIN } from '../parquet/types.ts';
import { placeChunk, planRanges } from './column-ranges.ts';

const page = (offset: number, bodyBytes: number): PageLayout => ({
  offset,
  bodyBytes,
  rawBytes: bodyBytes,
  crc: 0,
  values: 1,
});
const chunk = (dictionary: PageLayout | undefined, ...pages: PageLayout[]): ChunkLayout => ({
  rows: 1,
  zstd: false,
  encoding: PLAIN,
  pageRows: 1,
  dictionary,
  pages,
});

test('a chunk lies from the body of its first page, the dictionary if there is one, to the end of its last', () => {
  expect(placeChunk(3, chunk(page(20, 10), page(35, 5), page(42, 8)))).toEqual({ column: 3, from: 20, to: 50 });
  expect(placeChunk(4, chunk(undefined, page(60, 7)))).toEqual({ column: 4, from: 60, to: 67 });
  expect(placeChunk(5, chunk(undefined))).toBeUndefined();
});

test('chunks less than 64 KiB apart are one read', () => {
  const near = { column: 0, from: 100, to: 200 };
  const next = { column: 2, from: 200 + 65_535, to: 70_000 };
  const far = { column: 9, from: 70_000 + 65_536, to: 150_000 };
  expect(planRanges([near, next, far])).toEqual([
    { from: 100, to: 70_000, chunks: [near, next] },
    { from: 135_536, to: 150_000, chunks: [far] },
  ]);
  expect(planRanges([])).toEqual([]);
});
