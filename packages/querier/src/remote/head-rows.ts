import type { ColumnSetView, EncodedSpans } from '@vivace/columns';

/**
 * What makes heads of records of the log, on a thread of its own: the one that an ingester has. Calls are carried out
 * one after another.
 */
export interface HeadRows {
  /** Adds encoded requests to heads, which are opened by that. */
  push(requests: readonly { head: string; bytes: Uint8Array; acknowledged: true }[]): Promise<{
    /** One a request; what has no `accepted` could not be read. */
    outcomes: readonly object[];
    /** Bytes of the open column set of each head. */
    sizes: readonly [head: string, bytes: number][];
    /** Bytes of all heads. */
    size: number;
  }>;
  /** Ends the open column set of a head, which stays in it until it is dropped. */
  seal(head: string): Promise<{ generation: number } | undefined>;
  /** Returns the bytes of all heads. */
  drop(generation: number): Promise<number>;
  trace(heads: readonly string[], id: Uint8Array): Promise<EncodedSpans[]>;
  views(heads: readonly string[]): Promise<{ id: string; view: ColumnSetView }[]>;
}
