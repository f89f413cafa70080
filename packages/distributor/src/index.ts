export { createDistributor, type DistributorOptions, type IngestionLimits } from './distributor.ts';
export { createDistributorMetrics, type DistributorMetrics } from './metrics.ts';
