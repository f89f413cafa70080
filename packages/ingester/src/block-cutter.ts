import type { ColumnSetView } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';

/** A block that is encoded and not yet stored. */
export interface CutBlock {
  /** What the manifest's entry says of the block's content. */
  content: Omit<BlockEntry, 'id' | 'commitTimeMs' | 'level' | 'retentionClass' | 'applied' | 'ordinals'>;
  /** Objects to put, named relative to the block's place. */
  objects: { name: string; parts: Uint8Array[] }[];
}

export interface CutOptions {
  /** Spans that start before or after these, in Unix nanoseconds, form a block of their own: their clock is wrong. */
  earliest: bigint;
  latest: bigint;
}

/** Sorts and encodes a sealed generation: one block, or two where some spans are misdated. None where no row is live. */
export interface BlockCutter {
  cut(view: ColumnSetView, options: CutOptions): Promise<CutBlock[]>;
  stop(): Promise<void>;
}
