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
  type TracePosition,
  type UnreadBlocks,
} from './search.ts';
export { blockSource, headSource, type Source } from './source.ts';
export { SourceFailure } from './source-failure.ts';
export { INTRINSIC_TAGS, knownValues } from './tags/intrinsics.ts';
export { type TagValuesRequest, type TagValuesResult, tagValues } from './tags/tag-values.ts';
export { type TagsRequest, type TagsResult, tags } from './tags/tags.ts';
