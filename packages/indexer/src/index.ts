export { type IndexTenantOptions, type IndexTenantResult, indexTenant } from './index-tenant.ts';
export { Indexer, type IndexerOptions } from './indexer.ts';
export { createSegmentBuilder, type SegmentBuilder, type SegmentBuilderOptions } from './segment-builder.ts';
