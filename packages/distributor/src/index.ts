export { createDistributor, type DistributorOptions, type IngestionLimits } from './distributor.ts';
export { createDistributorMetrics, type DistributorMetrics } from './metrics.ts';
export { createSpreadMetrics, type SpreadMetrics } from './spread-metrics.ts';
export { createSpreadSink, type SpreadSinkOptions } from './spread-sink.ts';
