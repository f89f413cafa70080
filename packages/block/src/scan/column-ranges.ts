import type { ChunkLayout } from '../parquet/directory.ts';

// Which bytes of a row group hold some of its columns: pure functions of the directory.

/** Bytes `from … to - 1` of a row group: the pages of a column, from the body of its first. */
export interface ChunkPlace {
  column: number;
  from: number;
  to: number;
}

/** Bytes of a row group to be read at once. */
export interface RangeRead {
  from: number;
  to: number;
  chunks: ChunkPlace[];
}

/** What lies between two wanted chunks is read with them up to this many bytes: a read of its own costs more. */
const NEAR_BYTES = 64 * 1024;

/** Where a column chunk lies; undefined where no row has a value, and there is nothing to read. */
export function placeChunk(column: number, { dictionary, pages }: ChunkLayout): ChunkPlace | undefined {
  const first = dictionary ?? pages[0];
  const last = pages.at(-1);
  if (first === undefined || last === undefined) return undefined;
  return { column, from: first.offset, to: last.offset + last.bodyBytes };
}

/** Joins places that lie near one another. `places` ascend, as columns of a row group do. */
export function planRanges(places: readonly ChunkPlace[], nearBytes: number = NEAR_BYTES): RangeRead[] {
  const reads: RangeRead[] = [];
  for (const place of places) {
    const last = reads.at(-1);
    if (last !== undefined && place.from - last.to < nearBytes) {
      last.to = Math.max(last.to, place.to);
      last.chunks.push(place);
    } else reads.push({ from: place.from, to: place.to, chunks: [place] });
  }
  return reads;
}
