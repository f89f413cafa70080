import type { Kind, Status } from '@vivace/traceql';

/**
 * What queries answer. Numbers that are 64 bits wide are bigints; times are nanoseconds since 1970.
 */

/** A value of an attribute or an intrinsic in an answer; `text` of what TraceQL has no type for (maps, bytes, empty values). */
export type AnswerValue =
  | { type: 'nil' }
  | { type: 'string'; value: string }
  | { type: 'int'; value: bigint }
  | { type: 'float'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'duration'; value: bigint }
  | { type: 'status'; value: Status }
  | { type: 'kind'; value: Kind }
  | { type: 'array'; values: AnswerValue[] }
  | { type: 'other'; text: string };

/** `key` is the bare name without scope (`http.route`), or the intrinsic as it was asked for (`nestedSetLeft`, `status`). */
export interface AnswerAttribute {
  key: string;
  value: AnswerValue;
}

export interface SpanAnswer {
  /** 8 bytes. */
  spanId: Uint8Array;
  /** Only where the query refers to the name. */
  name: string | undefined;
  startUnixNano: bigint;
  /** 0 where a span ends before it starts. */
  durationNanos: bigint;
  attributes: AnswerAttribute[];
}

/** Spans of one trace that belong together: one set, or with `by()` one a group. */
export interface SpansetAnswer {
  /** By start, then span id; at most as many as were asked for. */
  spans: SpanAnswer[];
  /** How many there are. */
  matched: number;
  /** Values of groupings and aggregates: `by(name)`, `count()`. */
  attributes: AnswerAttribute[];
}

/** A trace that matched; its facts are of the whole trace. */
export interface TraceMatch {
  /** 16 bytes. */
  traceId: Uint8Array;
  /** Undefined where the root has not been received. */
  root: { service: string; name: string } | undefined;
  startUnixNano: bigint;
  durationNanos: bigint;
  /** Service name → counts. */
  services: Map<string, { spanCount: number; errorCount: number }>;
  spansets: SpansetAnswer[];
}

/** The order of answers: newest start first, then the smaller id. */
export interface TracePosition {
  startUnixNano: bigint;
  traceId: Uint8Array;
}

/** What a query looked at so far. */
export interface QueryStats {
  inspectedTraces: number;
  inspectedSpans: number;
  inspectedBytes: number;
  totalBlocks: number;
  totalBlockBytes: number;
  completedJobs: number;
  totalJobs: number;
}

/** A label of a series; values keep their types. */
export interface Label {
  key: string;
  value: AnswerValue;
}

export interface Exemplar {
  labels: Label[];
  value: number;
  timestampMs: number;
}

export interface Series {
  labels: Label[];
  /** Ascending by time; a step without a value is missing. */
  samples: { timestampMs: number; value: number }[];
  exemplars: Exemplar[];
}
