import type { BlockPlace } from '@vivace/block';
import type { ByteRange } from '@vivace/object-store';
import type { SegmentPlace, WrittenSegment } from '@vivace/trace-index';

/** What the indexer's thread makes a segment of. */
export interface SegmentJob {
  tenant: string;
  id: string;
  first: number;
  end: number;
  blocks: readonly { place: BlockPlace; ordinal: number }[];
  merged: readonly (SegmentPlace & { entries: number })[];
  /** See `currentOrdinals`. */
  current: Int32Array;
}

export interface SegmentMade extends WrittenSegment {
  /** Ordinals of blocks that are damaged. */
  holes: number[];
}

/** The segment was not made: one that it would replace cannot be read. */
export interface SegmentUnreadable {
  unreadable: string;
}

/** Bytes of an object of a block, which the thread asks for. */
export interface ReadRequest {
  tenant: string;
  block: string;
  object: string;
  range: ByteRange;
}

export interface SegmentRequest {
  tenant: string;
  id: string;
}
