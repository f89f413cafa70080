import type { ChunkLayout, PageLayout } from '../parquet/directory.ts';

/** Rows `from … to - 1` of a row group; of some columns, or of all. */
export interface PageRange {
  from: number;
  to: number;
  columns?: readonly number[];
}

/** What lies between two wanted pages is read with them up to this many bytes: a read of its own costs more. */
const NEAR_BYTES = 32 * 1024;

/** The bytes of a row group that hold the dictionaries of columns and the pages of some of their rows. */
export function planPages(
  chunks: readonly ChunkLayout[],
  { from, to, columns }: PageRange,
): { from: number; to: number }[] {
  const reads: { from: number; to: number }[] = [];
  const want = ({ offset, bodyBytes, values }: PageLayout): void => {
    if (values === 0) return;
    const last = reads.at(-1);
    if (last !== undefined && offset - last.to < NEAR_BYTES) last.to = offset + bodyBytes;
    else reads.push({ from: offset, to: offset + bodyBytes });
  };
  for (const [number, { dictionary, pages, pageRows }] of chunks.entries()) {
    if (columns !== undefined && !columns.includes(number)) continue;
    if (dictionary !== undefined) want(dictionary);
    for (const [page, layout] of pages.entries()) {
      if (page * pageRows < to && (page + 1) * pageRows > from) want(layout);
    }
  }
  return reads;
}
