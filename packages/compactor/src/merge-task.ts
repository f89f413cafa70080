import type { SectionName } from '@vivace/block';
import type { BlockEntry } from '@vivace/manifest';
import type { Retention } from './retention.ts';

/** Blocks to be merged into one a class. */
export interface MergeTask {
  tenant: string;
  inputs: readonly BlockEntry[];
  retention: Retention;
  rowGroupRows: number;
  pageRows: number;
  maxRows: number;
}

/** What became of a task. */
export interface Merged {
  /** None is empty. */
  blocks: readonly MergedBlock[];
  /** Spans that were there twice. */
  resends: number;
}

/** A block that was written through the sink. */
export interface MergedBlock {
  /** As the sink was told. */
  block: number;
  retentionClass: string;
  /** What its entry says of its content. */
  content: Pick<BlockEntry, 'rows' | 'traces' | 'minStart' | 'maxEnd' | 'filterBytes' | 'unfilteredKeys'>;
}

/** Takes bytes of a section of a block, which are handed over; more come when it resolves. */
export type MergeSink = (block: number, section: SectionName, bytes: Uint8Array) => Promise<void>;

/** Merges one task at a time. */
export interface BlockMerger {
  /**
   * Rejects with `not-found` where an object of an input is gone, with `data` where an input is damaged, and with the
   * signal's reason. Nothing is given to the sink once it has settled, unless the signal was aborted.
   */
  merge(task: MergeTask, sink: MergeSink, signal: AbortSignal): Promise<Merged>;
  stop(): Promise<void>;
}

/** Bytes that a thread which merges asks for. */
export interface MergeRead {
  tenant: string;
  block: string;
  object: string;
  offset: number;
  length: number;
}

/** Bytes that such a thread has made. */
export interface MergeWrite {
  block: number;
  section: SectionName;
  bytes: Uint8Array;
}
