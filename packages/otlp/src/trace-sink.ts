import type { PooledBuffer } from '@vivace/kernel';

/** Where receivers push to: the distributor, and behind it the ingester. */
export interface TraceSink {
  /**
   * Takes an ExportTraceServiceRequest in protobuf, not yet looked at. Resolves once what was accepted is
   * durable. The bytes are the receiver's, who releases them after the promise has settled.
   *
   * Rejects as a whole with a VivaceError: `data` or `invalid` if these bytes cannot be decoded (the client
   * drops them, so a fault of the sink's own storage must be `unavailable` or `internal`), `limited` over a
   * rate (with `retryAfterMs` if waiting helps), `unavailable` if the same request may succeed later.
   * An aborted signal means that nobody waits any more; what is already under way may go on.
   */
  push(tenant: string, request: PooledBuffer, signal: AbortSignal): Promise<PushResult>;
}

export interface PushResult {
  acceptedSpans: number;
  /** Spans left out one by one (bad ids, over a limit) while the others were taken. */
  rejectedSpans: number;
  /** Why the first of them was left out; with no rejected span a warning. */
  firstReason?: string;
}
