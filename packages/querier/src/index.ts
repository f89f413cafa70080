export { type HeadSource, Querier, type QuerierOptions } from './querier.ts';
