/**
 * What the API needs of whatever holds the traces. The API knows no blocks and no heads; who implements
 * this knows no HTTP.
 */
export interface TraceFinder {
  /**
   * Everything stored of one trace. Throws a `VivaceError` only when nothing can be said at all; a part that
   * could not be read makes the answer incomplete instead.
   */
  findTrace(tenant: string, traceId: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer>;
}

export interface FindTraceOptions {
  /** Look only at data from this Unix second on. */
  startSeconds?: number;
  /** Look only at data up to this Unix second. */
  endSeconds?: number;
  /** The trace is cut before its encoding is longer than this. */
  maxBytes: number;
  signal: AbortSignal;
}

export interface TraceAnswer {
  /**
   * An OTLP `TracesData` message: repeated field 1 `ResourceSpans`. Resource, scope and status are always
   * present and every resource has an attribute. No bytes: not found.
   */
  trace: Uint8Array;
  /** False when a part of the data could not be read. */
  complete: boolean;
  /** Why the answer is not complete, for a person to read. */
  problems: string[];
  /** True when the trace was cut at `maxBytes`. */
  truncated: boolean;
  /** Bytes read to find it. */
  inspectedBytes: number;
}
