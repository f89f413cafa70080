export type { HeadParts, HeadSource, HeadViews, RootBound } from './head-source.ts';
export { Querier, type QuerierAnswer, type QuerierOptions, type QueryRange } from './querier.ts';
