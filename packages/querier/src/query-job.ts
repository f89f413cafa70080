import type { Question } from '@vivace/block-query';
import type { ColumnSetView } from '@vivace/columns';
import type { BlockEntry } from '@vivace/manifest';

/** A question for a query thread, over what a snapshot and the heads hold. */
export interface QueryJob {
  /** To cancel it by. */
  number: number;
  tenant: string;
  entries: readonly BlockEntry[];
  /** Blocks that a search need not look at if the others settle it: none of their spans starts after those of `entries` do. */
  unread: readonly BlockEntry[];
  heads: readonly { id: string; view: ColumnSetView }[];
  question: Question;
}

export interface JobAnswer<Result> {
  result: Result;
  /** Blocks of which an object is gone: the snapshot is out of date. */
  missing: string[];
  /** Blocks that could not be read, and why. */
  problems: string[];
  inspectedBytes: number;
}
