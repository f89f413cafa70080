import type { EncodedSpans } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';

export const HEAD_ROWS = '/vivace.v1.Heads/Rows';
export const HEAD_TRACE = '/vivace.v1.Heads/Trace';

/** Chunks of which a caller says that it has them, at most. */
export const MAX_KNOWN_CHUNKS = 20_000;

export interface HeadsRequest {
  tenant: string;
  /** Ids of chunks that the caller has. */
  have: string[];
  /** Only rows that may be of this time; without it all. */
  time?: TimeRange;
}

/** Both ends are in it. */
export interface TimeRange {
  startUnixNano: bigint;
  endUnixNano: bigint;
}

/** What an answer of an ingester is worth. */
export interface HeadsState {
  /** The root has this version at least once what is no longer in the heads is in it. */
  version: number;
  /** Streams of which all that no block has is in this answer. */
  streams: string[];
}

export interface HeadsAnswer extends HeadsState {
  /** Rows of heads, each a block in memory. */
  chunks: BlockEntry[];
  /** Ids of chunks that are not of the time asked for, and that there are still. */
  others?: string[];
}

export interface HeadChunk {
  id: string;
  bytes: Uint8Array;
}

export interface HeadTraceRequest {
  tenant: string;
  id: Uint8Array;
}

export interface HeadTraceAnswer extends HeadsState {
  parts: EncodedSpans[];
}
