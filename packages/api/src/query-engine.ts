import type { AnswerValue, QueryStats, Series, TraceMatch, WrittenForm, WrittenTraces } from '@vivace/block-query';
import type { AttributeScope, Field, Query, SpansetExpression } from '@vivace/traceql';

/** Times of a query in nanoseconds since 1970. */
export interface TimeRange {
  startUnixNano: bigint;
  endUnixNano: bigint;
}

export interface SearchOptions extends TimeRange {
  query: Query;
  limit: number;
  /** 0: all. */
  spansPerSpanset: number;
  /** As an earlier answer gave it. */
  cursor: string | undefined;
  /** Whoever finds the traces may give them written in this form. */
  written?: WrittenForm | undefined;
  signal: AbortSignal;
}

/**
 * A piece of an answer. Traces come newest first, each once and when nothing can change it any more; the pieces of
 * a search put together are its answer. The last piece of a search that has more to give has a `cursor`.
 */
export interface SearchPart {
  traces: TraceMatch[];
  /** In place of traces, where that was asked for: all of the search so far, instead of what earlier pieces had. */
  written?: WrittenTraces | undefined;
  stats: QueryStats;
  cursor: string | undefined;
  /** What could not be read so far, a line each: the answer is not complete where there is one. */
  problems: string[];
}

export interface MetricsOptions extends TimeRange {
  query: Query;
  /** Intervals are (t - step, t]. A query for one value has one step from start to end. */
  stepNanos: bigint;
  /** Exemplars in all, 0 for none. */
  exemplars: number;
  /** 0: as many as there are. */
  maxSeries: number;
  signal: AbortSignal;
}

/** Each part replaces the one before; no series of an earlier part is missing in a later one. */
export interface MetricsPart {
  series: Series[];
  stats: QueryStats;
  problems: string[];
  /** Whether series were left out because of `maxSeries`. */
  truncated: boolean;
}

export type TagScope = Exclude<AttributeScope, 'any'> | 'intrinsic';

export interface TagsOptions extends TimeRange {
  /** Undefined: every scope. */
  scope: TagScope | undefined;
  /** Only tags of spans that match it. */
  filter: (SpansetExpression & { kind: 'filter' }) | undefined;
  /** Of each scope; 0: all. */
  limit: number;
  signal: AbortSignal;
}

export interface TagsAnswer {
  /** Names sorted; scopes without names are left out. */
  scopes: { name: TagScope; tags: string[] }[];
  /** There are more than the engine lists, whatever the limit. */
  truncated?: boolean;
  stats: QueryStats;
  problems: string[];
}

export interface TagValuesOptions extends TimeRange {
  field: Field;
  filter: (SpansetExpression & { kind: 'filter' }) | undefined;
  /** 0: all. */
  limit: number;
  signal: AbortSignal;
}

export interface TagValuesAnswer {
  /** Distinct, arrays as their elements; sorted by type, then value. */
  values: AnswerValue[];
  /** There are more than the engine lists, whatever the limit. */
  truncated?: boolean;
  stats: QueryStats;
  problems: string[];
}

/**
 * Answers TraceQL. Rejects with `invalid` for what the query may not ask, `limited` where it is over a bound,
 * `unavailable` where nothing can be read, `canceled` when `signal` aborts.
 */
export interface QueryEngine {
  search(tenant: string, options: SearchOptions): AsyncIterable<SearchPart>;
  metrics(tenant: string, options: MetricsOptions): AsyncIterable<MetricsPart>;
  tags(tenant: string, options: TagsOptions): Promise<TagsAnswer>;
  tagValues(tenant: string, options: TagValuesOptions): Promise<TagValuesAnswer>;
}
