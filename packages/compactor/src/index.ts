export { Compactor, type CompactorOptions } from './compactor.ts';
export { createCompactorMetrics } from './compactor-metrics.ts';
export type { BlockMerger } from './merge-task.ts';
export { OverridesFile } from './overrides-file.ts';
export { plainRetention } from './tenant-retention.ts';
export { createWorkerMerger } from './worker-merger.ts';
