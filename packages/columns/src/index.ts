export { ColumnSet } from './column-set.ts';
export { type ColumnizeLimits, type ColumnizeResult, Columnizer } from './columnize.ts';
export { MemoryPool } from './memory-pool.ts';
export { compareResends } from './resend.ts';
export { sortedRows } from './sort.ts';
export { type EncodedSpans, encodeSpans } from './span-encoder.ts';
export { type MergedTrace, mergeTrace } from './trace-merge.ts';
export type {
  AttributeColumn,
  AttributeType,
  ColumnSetView,
  DictionaryView,
  EventTableView,
  SparseColumn,
} from './view.ts';
export { malformed, WireScanner } from './wire-scanner.ts';
