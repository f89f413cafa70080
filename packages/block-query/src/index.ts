export type {
  AnswerAttribute,
  AnswerValue,
  Exemplar,
  Label,
  QueryStats,
  Series,
  SpanAnswer,
  SpansetAnswer,
  TraceMatch,
  TracePosition,
} from './answer.ts';
export { matchesParts, matchNeeds, matchTraces, type TraceSet } from './match-traces.ts';
export { type MetricsRequest, type MetricsResult, metrics } from './metrics.ts';
export { packMatches, unpackMatches } from './packed-matches.ts';
export type { Question, ResultOf } from './question.ts';
export {
  comesAfter,
  type RunOptions,
  type SearchRequest,
  type SearchResult,
  search,
  type UnreadBlocks,
} from './search.ts';
export { blockSource, headSource, type Source } from './source.ts';
export { SourceFailure } from './source-failure.ts';
export { INTRINSIC_TAGS, knownValues } from './tags/intrinsics.ts';
export { type TagValuesRequest, type TagValuesResult, tagValues } from './tags/tag-values.ts';
export { type TagsRequest, type TagsResult, tags } from './tags/tags.ts';
export { type AnyValue, textOf, toAnyValue } from './written/answer-value.ts';
export { AttributeTypes, type KeyValue } from './written/attribute-types.ts';
export { type SearchTraceOptions, searchTraceJson } from './written/search-json.ts';
export { seriesJson } from './written/series-json.ts';
export { durationMsOf, NO_ROOT, traceIdText, uint32 } from './written/trace-facts.ts';
export { type WrittenForm, type WrittenTraces, writeTraces } from './written/written-traces.ts';
