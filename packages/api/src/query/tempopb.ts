import type { AnyValue, KeyValue } from '@vivace/block-query';
import type { AnySchema, Schema } from './message.ts';

/**
 * The messages of Tempo's query API, by their names there. Grafana reads the JSON of a search strictly: a field
 * that it does not know fails the whole search, so nothing may be added here.
 */

export interface SpanMessage {
  spanID: string;
  name?: string;
  startTimeUnixNano: bigint;
  durationNanos: bigint;
  attributes: KeyValue[];
}

export interface SpanSetMessage {
  spans: SpanMessage[];
  matched: number;
  attributes: KeyValue[];
}

export interface SearchTrace {
  traceID: string;
  rootServiceName: string;
  rootTraceName: string;
  startTimeUnixNano: bigint;
  durationMs: number;
  spanSet?: SpanSetMessage;
  spanSets?: SpanSetMessage[];
  serviceStats?: Map<string, { spanCount: number; errorCount: number }>;
}

export interface SearchMetrics {
  inspectedTraces: number;
  inspectedBytes: number;
  totalBlocks: number;
  completedJobs: number;
  totalJobs: number;
  totalBlockBytes: number;
  inspectedSpans: number;
}

export interface SearchResponse {
  traces: SearchTrace[];
  metrics: SearchMetrics;
}

export interface MetadataMetrics {
  inspectedBytes: number;
  totalJobs: number;
  completedJobs: number;
  totalBlocks: number;
  totalBlockBytes: number;
}

export interface TagsResponse {
  tagNames: string[];
  metrics: MetadataMetrics;
}

interface TagScopeMessage {
  name: string;
  tags: string[];
}

export interface TagsV2Response {
  scopes: TagScopeMessage[];
  metrics: MetadataMetrics;
}

export interface TagValuesResponse {
  tagValues: string[];
  metrics: MetadataMetrics;
}

export interface TagValueMessage {
  type: 'string' | 'int' | 'float' | 'bool' | 'duration' | 'keyword';
  value: string;
}

export interface TagValuesV2Response {
  tagValues: TagValueMessage[];
  metrics: MetadataMetrics;
}

interface SampleMessage {
  timestampMs: bigint;
  value: number;
}

interface ExemplarMessage {
  labels: KeyValue[];
  value: number;
  timestampMs: bigint;
}

export interface SeriesMessage {
  labels: KeyValue[];
  samples: SampleMessage[];
  exemplars: ExemplarMessage[];
}

export interface InstantSeriesMessage {
  labels: KeyValue[];
  value: number;
}

export type AnswerStatus = 'COMPLETE' | 'PARTIAL';

interface MetricsResponse<S> {
  series: S[];
  metrics: SearchMetrics;
  status: AnswerStatus;
  message: string;
}

const ANY_VALUE: Schema<AnyValue> = {
  stringValue: { number: 1, type: 'string', always: true },
  boolValue: { number: 2, type: 'bool', always: true },
  intValue: { number: 3, type: 'int64', always: true },
  doubleValue: { number: 4, type: 'double', always: true },
};

const keyValue: Schema<KeyValue> = {
  key: { number: 1, type: 'string' },
  value: { number: 2, type: { message: ANY_VALUE as AnySchema } },
};

const span: Schema<SpanMessage> = {
  spanID: { number: 1, type: 'string' },
  name: { number: 2, type: 'string' },
  startTimeUnixNano: { number: 3, type: 'uint64' },
  durationNanos: { number: 4, type: 'uint64' },
  attributes: { number: 5, type: { message: keyValue as AnySchema }, repeated: true },
};

const spanSet: Schema<SpanSetMessage> = {
  spans: { number: 1, type: { message: span as AnySchema }, repeated: true },
  matched: { number: 2, type: 'uint32' },
  attributes: { number: 3, type: { message: keyValue as AnySchema }, repeated: true },
};

const serviceStats: Schema<{ spanCount: number; errorCount: number }> = {
  spanCount: { number: 1, type: 'uint32' },
  errorCount: { number: 2, type: 'uint32' },
};

export const SEARCH_TRACE: Schema<SearchTrace> = {
  traceID: { number: 1, type: 'string' },
  rootServiceName: { number: 2, type: 'string' },
  rootTraceName: { number: 3, type: 'string' },
  startTimeUnixNano: { number: 4, type: 'uint64' },
  durationMs: { number: 5, type: 'uint32' },
  spanSet: { number: 6, type: { message: spanSet as AnySchema } },
  spanSets: { number: 7, type: { message: spanSet as AnySchema }, repeated: true },
  serviceStats: { number: 8, type: { mapTo: serviceStats as AnySchema } },
};

const searchMetrics: Schema<SearchMetrics> = {
  inspectedTraces: { number: 1, type: 'uint32' },
  inspectedBytes: { number: 2, type: 'uint64' },
  totalBlocks: { number: 3, type: 'uint32' },
  completedJobs: { number: 4, type: 'uint32' },
  totalJobs: { number: 5, type: 'uint32' },
  totalBlockBytes: { number: 6, type: 'uint64' },
  inspectedSpans: { number: 7, type: 'uint64' },
};

export const SEARCH_RESPONSE: Schema<SearchResponse> = {
  traces: { number: 1, type: { message: SEARCH_TRACE as AnySchema }, repeated: true, always: true },
  metrics: { number: 2, type: { message: searchMetrics as AnySchema } },
};

const metadataMetrics: Schema<MetadataMetrics> = {
  inspectedBytes: { number: 1, type: 'uint64' },
  totalJobs: { number: 2, type: 'uint32' },
  completedJobs: { number: 3, type: 'uint32' },
  totalBlocks: { number: 4, type: 'uint32' },
  totalBlockBytes: { number: 5, type: 'uint64' },
};

export const TAGS_RESPONSE: Schema<TagsResponse> = {
  tagNames: { number: 1, type: 'string', repeated: true, always: true },
  metrics: { number: 2, type: { message: metadataMetrics as AnySchema } },
};

const tagScope: Schema<TagScopeMessage> = {
  name: { number: 1, type: 'string' },
  // Grafana's editor breaks on a scope without them.
  tags: { number: 2, type: 'string', repeated: true, always: true },
};

export const TAGS_V2_RESPONSE: Schema<TagsV2Response> = {
  scopes: { number: 1, type: { message: tagScope as AnySchema }, repeated: true, always: true },
  metrics: { number: 2, type: { message: metadataMetrics as AnySchema } },
};

export const TAG_VALUES_RESPONSE: Schema<TagValuesResponse> = {
  tagValues: { number: 1, type: 'string', repeated: true, always: true },
  metrics: { number: 2, type: { message: metadataMetrics as AnySchema } },
};

const tagValue: Schema<TagValueMessage> = {
  type: { number: 1, type: 'string' },
  value: { number: 2, type: 'string', always: true },
};

export const TAG_VALUES_V2_RESPONSE: Schema<TagValuesV2Response> = {
  tagValues: { number: 1, type: { message: tagValue as AnySchema }, repeated: true, always: true },
  metrics: { number: 2, type: { message: metadataMetrics as AnySchema } },
};

const sample: Schema<SampleMessage> = {
  timestampMs: { number: 2, type: 'int64' },
  value: { number: 1, type: 'double' },
};

const exemplar: Schema<ExemplarMessage> = {
  labels: { number: 1, type: { message: keyValue as AnySchema }, repeated: true },
  value: { number: 2, type: 'double' },
  timestampMs: { number: 3, type: 'int64' },
};

export const SERIES: Schema<SeriesMessage> = {
  labels: { number: 1, type: { message: keyValue as AnySchema }, repeated: true },
  samples: { number: 2, type: { message: sample as AnySchema }, repeated: true },
  exemplars: { number: 4, type: { message: exemplar as AnySchema }, repeated: true },
};

export const INSTANT_SERIES: Schema<InstantSeriesMessage> = {
  labels: { number: 1, type: { message: keyValue as AnySchema }, repeated: true },
  value: { number: 2, type: 'double' },
};

function metricsResponse<S>(series: Schema<S>): Schema<MetricsResponse<S>> {
  return {
    series: { number: 1, type: { message: series as AnySchema }, repeated: true },
    metrics: { number: 2, type: { message: searchMetrics as AnySchema } },
    status: { number: 3, type: { names: ['COMPLETE', 'PARTIAL'] } },
    message: { number: 4, type: 'string' },
  };
}

export const QUERY_RANGE_RESPONSE = metricsResponse(SERIES);
export const QUERY_INSTANT_RESPONSE = metricsResponse(INSTANT_SERIES);
