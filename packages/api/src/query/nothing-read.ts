import type { QueryStats } from '@vivace/block-query';

/** Of a question that could be answered without looking. */
export const NOTHING_READ: Readonly<QueryStats> = {
  inspectedTraces: 0,
  inspectedSpans: 0,
  inspectedBytes: 0,
  totalBlocks: 0,
  totalBlockBytes: 0,
  completedJobs: 0,
  totalJobs: 0,
};
