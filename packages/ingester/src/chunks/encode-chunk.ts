import { encodeBlock, layoutObjects } from '@vivace/block';
import { type ColumnSetView, sortedRows } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import type { CutBlock } from '../block-cutter.ts';
import type { RowRange } from './plan-chunks.ts';
import { sliceRows } from './slice-rows.ts';

/** Rows of a head as a block of one object. */
export interface EncodedChunk {
  content: CutBlock['content'];
  bytes: Uint8Array;
}

/** Larger is no chunk of ours: traces are limited in bytes, and so are attributes. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

/** Undefined where no row is live. `seed` as for blocks. */
export function encodeChunk(view: ColumnSetView, range: RowRange, seed: number): EncodedChunk | undefined {
  const slice = sliceRows(view, range);
  const order = sortedRows(slice);
  if (order.length === 0) return undefined;
  const encoded = encodeBlock(slice, order, { seed });
  const { objects, sections } = layoutObjects(encoded, MAX_BYTES);
  const { sections: _, ...facts } = encoded;
  return { content: { ...facts, sections }, bytes: concatBytes(objects.flatMap(({ parts }) => parts)) };
}
