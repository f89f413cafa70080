import type { EncodedSpans } from '@vivace/columns';
import type { HeadView, PushOutcome, SealedHead } from './heads.ts';

/**
 * The heads as the ingester sees them, on whatever thread they live. Calls are carried out in the order in
 * which they are made, and answered in that order.
 */
export interface HeadBuilder {
  push(requests: readonly HeadRequest[]): Promise<PushReply>;
  seal(head: string): Promise<SealedHead | undefined>;
  drop(generation: number): Promise<number>;
  trace(heads: readonly string[], id: Uint8Array): Promise<EncodedSpans[]>;
  views(heads: readonly string[]): Promise<HeadView[]>;
  stop(): Promise<void>;
}

export interface HeadRequest {
  head: string;
  /** An encoded ExportTraceServiceRequest, on shared memory; it must not change until the answer is there. */
  bytes: Uint8Array;
  /** From the log: no limit refuses any of it again. */
  acknowledged?: boolean;
}

export interface PushReply {
  /** One a request, in order. */
  outcomes: PushOutcome[];
  /** Bytes of the open column set of each head touched. */
  sizes: [head: string, bytes: number][];
  /** Bytes of all heads, as `drop` returns it too. */
  size: number;
}
