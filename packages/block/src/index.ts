export { type BlockIndex, decodeIndex, indexSummary } from './block-index.ts';
export { type ByteCache, createByteCache } from './byte-cache.ts';
export { type BlockCache, createBlockCache, type LruBlockCache } from './cache.ts';
export { type EncodedBlock, type EncodeOptions, encodeBlock } from './encode-block.ts';
export { FILTER_BLOCK_BYTES, filterMayHold, filterProbeOffset } from './filter.ts';
export { type FoundBlock, findSections } from './find-sections.ts';
export { Hash64, hashKey } from './hash.ts';
export { type AttributeScope, FORMAT_VERSION, SECTION_NAMES, SECTION_OBJECTS, type SectionName } from './layout.ts';
export { type BlockObjects, layoutObjects, type SectionPlace, SINGLE_OBJECT_MAX_BYTES } from './layout-objects.ts';
export { mergeBlocks } from './merge/merge-blocks.ts';
export type { MergedBlock, MergeInput, MergeOptions, MergeResult, MergeSink } from './merge/merge-options.ts';
export { type ReadTracesOptions, readTraces, type TraceBatch } from './merge/read-traces.ts';
export {
  type BlockPlace,
  type BlockReader,
  type BlockSections,
  type OpenBlockOptions,
  openBlock,
  type ReadRange,
  traceSpanCounts,
} from './open-block.ts';
export type { EventField, SpanField } from './scan/fields.ts';
export { batchesOf, type GroupRun } from './scan/group-run.ts';
export type { CodedValues, ColumnNeeds, RowPartials, RunColumns } from './scan/run-columns.ts';
export type { TraceList } from './trace-list.ts';
export type { AttributeSummary, ValueSummary } from './value-summary.ts';
export { describeFinding, type Finding } from './verify/findings.ts';
export { type BlockClaim, type VerifyOptions, type VerifyResult, verifyBlock } from './verify/verify-block.ts';
