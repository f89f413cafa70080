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
} from './answer.ts';
export { type MetricsRequest, type MetricsResult, metrics } from './metrics.ts';
export {
  type RunOptions,
  type SearchRequest,
  type SearchResult,
  search,
  type TracePosition,
  type UnreadBlocks,
} from './search.ts';
export { SourceFailure } from './select-traces.ts';
export { blockSource, headSource, type Source } from './source.ts';
export { type TagValuesRequest, type TagValuesResult, tagValues } from './tags/tag-values.ts';
export { type TagsRequest, type TagsResult, tags } from './tags/tags.ts';
