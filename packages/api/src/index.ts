export type { ListenAddress, ListenerTls } from '@vivace/http';
export { type Api, type ApiLimits, type ApiOptions, createApi, DEFAULT_API_LIMITS } from './api.ts';
export type { BuildInfo } from './operation-routes.ts';
export { practiseWriting } from './query/practise-writing.ts';
export type {
  MetricsOptions,
  MetricsPart,
  QueryEngine,
  SearchOptions,
  SearchPart,
  TagScope,
  TagsAnswer,
  TagsOptions,
  TagValuesAnswer,
  TagValuesOptions,
  TimeRange,
} from './query-engine.ts';
export { createReadApi, type ReadApi, type ReadApiOptions } from './read-api.ts';
export type { Tenancy } from './tenants.ts';
export type { FindTraceOptions, TraceAnswer, TraceFinder } from './trace-finder.ts';
