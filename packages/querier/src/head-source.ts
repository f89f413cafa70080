import type { ColumnSetView, EncodedSpans } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';
import type { ByteRange } from '@vivace/object-store';
import type { TimeRange } from '@vivace/rpc';

/** What ingesters hold that is in no block: the one of this process, or all others. */
export interface HeadSource {
  /** Whether asking takes a call to another process. */
  readonly isRemote?: boolean;
  findTrace(tenant: string, id: Uint8Array, signal: AbortSignal): Promise<HeadParts>;
  /** At least the rows of spans that may be of a time. */
  headViews(tenant: string, time: TimeRange, signal: AbortSignal): Promise<HeadViews>;
  /** What `headViews` is expected to answer, where that takes a call; undefined: that cannot be said. */
  expectedViews?(tenant: string): HeadViews | undefined;
  /** Bytes of a chunk of `headViews` that is not released; undefined: it is none. */
  readChunk?(id: string, range: ByteRange): Uint8Array | undefined;
}

/**
 * The roots that an answer of heads goes with: what they no longer hold is in all of them. Both absent: any root that is
 * read after the heads.
 */
export interface RootBound {
  minVersion?: number;
  maxAgeMs?: number;
}

export interface HeadParts extends RootBound {
  parts: EncodedSpans[];
  problems: string[];
}

export interface HeadViews extends RootBound {
  views: { id: string; view: ColumnSetView }[];
  /** Rows of heads as blocks in memory, of the time asked for. */
  chunks?: readonly BlockEntry[];
  problems: string[];
  /** The query has ended. */
  release?: () => void;
}
