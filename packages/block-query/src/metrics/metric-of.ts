import type { MetricsStage } from '@vivace/traceql';
import { BucketMetric } from './bucket-metric.ts';
import type { Budget } from './budget.ts';
import { CountMetric } from './count-metric.ts';
import { Groups } from './groups.ts';
import type { Intervals } from './intervals.ts';
import type { Metric } from './metric.ts';
import { NumberMetric } from './number-metric.ts';

export type GroupedStage = Exclude<MetricsStage, { function: 'compare' }>;

/** The metric that a stage asks for, before any span is counted. */
export function metricOf(stage: GroupedStage, intervals: Intervals, budget: Budget): Metric {
  switch (stage.function) {
    case 'rate':
    case 'count_over_time':
      return new CountMetric(new Groups(stage.by, stage.function, budget), intervals, budget, stage.function);
    case 'histogram_over_time':
      return new BucketMetric(new Groups(stage.by, undefined, budget), stage.field, undefined, intervals, budget);
    case 'quantile_over_time':
      return new BucketMetric(new Groups(stage.by, undefined, budget), stage.field, stage.quantiles, intervals, budget);
    case 'min_over_time':
    case 'max_over_time':
    case 'avg_over_time':
    case 'sum_over_time':
      return new NumberMetric(
        new Groups(stage.by, stage.function, budget),
        stage.field,
        stage.function,
        intervals,
        budget,
      );
  }
}
