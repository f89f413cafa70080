import type { Question } from '@vivace/block-query';
import type { ColumnSetView } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';
import type { UsageCounters } from './cache-usage.ts';
import type { SentEntries } from './entry-book.ts';

/** A question for a query thread, over what a snapshot and the heads hold. */
export interface QueryJob {
  /** To cancel it by. */
  number: number;
  tenant: string;
  entries: readonly BlockEntry[];
  /** The first so many entries are rows of heads, not blocks. */
  chunks: number;
  /**
   * There are blocks that a search need not look at if the others settle it: none of their spans starts after those of
   * `entries` do, nor after this.
   */
  unread: { maxEndUnixNano: bigint } | undefined;
  heads: readonly { id: string; view: ColumnSetView }[];
  question: Question;
}

/** A job on its way to a query thread. */
export type SentJob = Omit<QueryJob, 'entries'> & { entries: SentEntries };

/** A question asked for practice, about the first batches of each block. */
export interface PracticeRequest {
  job: SentJob;
  maxBatches: number;
}

/** A query thread is asked what a block has that it can practise on. */
export interface SubjectsRequest {
  tenant: string;
  entry: BlockEntry;
}

/** A query thread is asked for the ids of so many traces of a block, at most. */
export interface TracesRequest extends SubjectsRequest {
  count: number;
}

/** A query thread asks which blocks of a query's snapshot may have each of these traces. */
export interface LocateRequest {
  number: number;
  traceIds: readonly Uint8Array[];
}

export interface JobAnswer<Result> {
  result: Result;
  /** Blocks of which an object is gone: the snapshot is out of date. */
  missing: string[];
  /** Blocks that could not be read, and why. */
  problems: string[];
  /** Those of them of which bytes were not what they should be. */
  damaged: string[];
  inspectedBytes: number;
}

/** What a query thread is started with. */
export interface SearchWorkerArgument {
  cacheBytes: number;
  filterCacheBytes: number;
  keepsPartials: boolean;
  seed: number;
  /** Where the thread writes what its caches hold. */
  usage: UsageCounters;
}
