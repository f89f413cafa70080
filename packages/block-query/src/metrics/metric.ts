import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import type { Marks } from './intervals.ts';
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
