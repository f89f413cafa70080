import type { BlockSections } from '@vivace/block';
import type { EncodedSpans } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';
import type { ByteRange } from '@vivace/object-store';
import type { SentEntries } from './entry-book.ts';

/** A lookup of one trace in the blocks of a snapshot, joined with what the heads have. */
export interface TraceSearch {
  tenant: string;
  id: Uint8Array;
  entries: readonly BlockEntry[];
  /** The trace index names the first so many: their filters are not asked. */
  named: number;
  heads: EncodedSpans[];
  maxBytes: number;
}

/** A lookup on its way to a thread. */
export interface SentSearch extends Omit<TraceSearch, 'entries'> {
  entries: SentEntries;
}

export interface TraceFound {
  /** OTLP TracesData; no bytes where nothing was found. */
  trace: Uint8Array;
  truncated: boolean;
  /** Blocks of which an object is gone: the snapshot is out of date. */
  missing: string[];
  /** Blocks that could not be read, and why. */
  problems: string[];
  /** Those of them of which bytes were not what they should be. */
  damaged: string[];
  /** Bytes read from the store. */
  inspectedBytes: number;
}

/** Bytes of an object of a block, which a query thread asks for. */
export interface ReadRequest {
  tenant: string;
  block: string;
  object: string;
  range: ByteRange;
}

/** A block that was just committed, with the bytes that were written: they go into the cache of the query threads. */
export interface NewBlock {
  tenant: string;
  entry: BlockEntry;
  sections: BlockSections;
}
