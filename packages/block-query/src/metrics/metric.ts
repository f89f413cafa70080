import type { MetricsStage } from '@vivace/traceql';
import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import { BucketMetric } from './bucket-metric.ts';
import type { Budget } from './budget.ts';
import { CountMetric } from './count-metric.ts';
import { Groups } from './groups.ts';
import type { Intervals, Marks } from './intervals.ts';
import { NumberMetric } from './number-metric.ts';
import type { RawSeries } from './raw-series.ts';

/** A metric while spans are counted; any order of them gives the same. */
export interface Metric {
  /** Rows that are marked with an interval; those that do not count lose their mark. */
  addRows(source: BatchRows, marks: Marks): void;
  /** False: the span does not count. */
  addSpan(trace: TraceRows, span: number, interval: number): boolean;
  /** Which series a span that counts belongs to: the first, where there are several. */
  placeOf(trace: TraceRows, span: number): Place | undefined;
  series(): RawSeries[];
}

/** Where the exemplar of a span belongs. */
export interface Place {
  /** Labels of the series; of quantiles those of the series of each, of which one is chosen by its samples. */
  series: Label[][];
  /** What the metric is about; undefined: spans as such. */
  value: number | undefined;
}

export type GroupedStage = Exclude<MetricsStage, { function: 'compare' }>;

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
