/** Rows of a column set, `to` not included. */
export interface RowRange {
  from: number;
  to: number;
}

/** What chunks are cut at, the largest first; each is a multiple of the next. */
export const CHUNK_ROWS: readonly number[] = [16_384, 2_048, 256];

/**
 * Cuts the rows of a column set that is appended to: into as many chunks of the largest size as are full, then of the
 * next, and the rest as a tail. Chunks begin at multiples of their size, so all but the last few stay what they are
 * while rows are appended, and a row is encoded once for each size and while it is in a tail.
 */
export function planChunks(rows: number, sizes: readonly number[] = CHUNK_ROWS): RowRange[] {
  const ranges: RowRange[] = [];
  let from = 0;
  for (const size of sizes) {
    for (; from + size <= rows; from += size) ranges.push({ from, to: from + size });
  }
  if (from < rows) ranges.push({ from, to: rows });
  return ranges;
}
