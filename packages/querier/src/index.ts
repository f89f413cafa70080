export { type HeadSource, Querier, type QuerierAnswer, type QuerierOptions, type QueryRange } from './querier.ts';
