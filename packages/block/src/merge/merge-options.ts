import type { BlockContent } from '../block-encoder.ts';
import type { SectionName } from '../layout.ts';
import type { BlockPlace, ReadRange } from '../open-block.ts';

/** A block to be merged: where its sections lie, and how to read them. */
export interface MergeInput {
  place: BlockPlace;
  /** What it gives belongs to the merge, which frees the memory when it has been read. */
  readRange: ReadRange;
}

/**
 * Takes the next bytes of a section of a block that is being written. Blocks are numbered from 0 in the order in which
 * they are begun, one at a time; sections of a block come interleaved, the bytes of each in their order. Bytes are its
 * own. The merge goes on when the promise is fulfilled: that bounds what waits.
 */
export type MergeSink = (block: number, section: SectionName, bytes: Uint8Array) => Promise<void> | void;

export interface MergeOptions {
  /** At least one. */
  inputs: readonly MergeInput[];
  sink: MergeSink;
  /**
   * Which output the trace with an id (16 bytes) goes to: 0 to `outputs - 1`, or -1 to leave it out. `number` is how many
   * traces of all inputs come before it in the order of ids, as for `readTraces`. Must say the same whenever it is asked.
   * Default: all to output 0.
   */
  route?: (traceId: Uint8Array, number: number) => number;
  /** Each takes a pass over the inputs. Default 1. */
  outputs?: number;
  /** Spans a row group has, about. */
  rowGroupRows?: number;
  /** Rows a page has unless its bytes say otherwise. */
  pageRows?: number;
  /** Rows a block has at most; an output of more becomes several blocks. Default: what the format allows. */
  maxRows?: number;
  /**
   * Row groups of the inputs are read as wholes while one of each takes no more than this together; else only the pages
   * that are needed, in more reads. Default 40 MiB.
   */
  maxGroupBytes?: number;
  /** Decoded dictionaries of the row groups that the merge is at. Default 8 MiB. */
  maxDictionaryBytes?: number;
  /** Seeds hash tables over ids and strings that senders choose; does not change the result. */
  seed?: number;
  signal?: AbortSignal;
}

/** A block that was written. */
export interface MergedBlock extends BlockContent {
  /** Number given to the sink. */
  block: number;
  /** The output it belongs to. */
  output: number;
  /** Bytes of each section. */
  lengths: Record<SectionName, number>;
}

export interface MergeResult {
  /** None where no span is left. */
  blocks: MergedBlock[];
  /** Spans of all inputs. */
  inputRows: number;
  /** Spans left out because another has the same identity. */
  resends: number;
  /** Spans of traces that `route` left out. */
  droppedRows: number;
}
