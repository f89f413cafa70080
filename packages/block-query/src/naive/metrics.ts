import type { Field, MetricsStage, Query } from '@vivace/traceql';
import type { Label, Series } from '../answer.ts';
import { isMeasured } from './aggregates.ts';
import { compareSelections } from './compare.ts';
import { fieldValue } from './fields.ts';
import { type Intervals, intervalOf } from './intervals.ts';
import { type NaiveSpan, type NaiveTrace, NIL, type Value } from './model.ts';
import { runPipeline } from './pipeline.ts';
import { bucketOf, quantileOf } from './quantiles.ts';
import { applySecondStage } from './second-stages.ts';
import { compareSeries, distinctElements, emptySeries, type NaiveSeries, seriesKey } from './series.ts';
import { type Numeric, toFloat } from './values.ts';

/** Nanoseconds; `end` is `start` and a whole number of steps. */
export interface NaiveMetricsOptions {
  start: bigint;
  end: bigint;
  step: bigint;
  exemplars: 0;
  /** Of `compare()`: an attribute with more distinct values is left out, and said to be. */
  maxValuesPerAttribute?: number;
}

/** The series of a metrics query, ordered by their labels. */
export function naiveMetrics(traces: readonly NaiveTrace[], query: Query, options: NaiveMetricsOptions): Series[] {
  const { start, end, step } = options;
  const intervals: Intervals = { start, step, count: Number((end - start) / step) };
  const spans = traces
    .flatMap((trace) => runPipeline(query.pipeline, trace))
    .flatMap((spanset) => spanset.spans)
    .filter((span) => start < span.startUnixNano && span.startUnixNano <= end);
  if (query.metrics === undefined) throw new TypeError('not a metrics query');
  let series = firstStage(query.metrics, spans, intervals, options.maxValuesPerAttribute ?? 10_000);
  for (const stage of query.secondStages) series = applySecondStage(stage, series.sort(compareSeries));
  return series.sort(compareSeries).map(({ labels, values }) => ({
    labels,
    samples: values.flatMap((value, index) =>
      value === undefined ? [] : [{ timestampMs: Number((start + step * BigInt(index + 1)) / 1_000_000n), value }],
    ),
    exemplars: [],
  }));
}

function firstStage(
  stage: MetricsStage,
  spans: readonly NaiveSpan[],
  intervals: Intervals,
  maxValuesPerAttribute: number,
): NaiveSeries[] {
  switch (stage.function) {
    case 'compare':
      return compareSelections(stage, spans, intervals, maxValuesPerAttribute);
    case 'rate':
    case 'count_over_time': {
      const seconds = stage.function === 'rate' ? Number(intervals.step) / 1e9 : 1;
      return groupedSeries(spans, stage.by, stage.function, intervals, (cell) => cell.length / seconds);
    }
    case 'histogram_over_time':
      return histogram(stage.field, stage.by, spans, intervals);
    case 'quantile_over_time':
      return stage.quantiles.flatMap((quantile) =>
        groupedSeries(
          spans.filter((span) => bucketOf(fieldValue(stage.field, { span })) !== undefined),
          stage.by,
          undefined,
          intervals,
          (cell) =>
            quantileOf(
              quantile,
              cell.map((span) => fieldValue(stage.field, { span })),
            ),
        ).map(({ labels, values }) => ({
          labels: [...labels, { key: 'p', value: { type: 'float', value: quantile } }],
          values,
        })),
      );
    case 'min_over_time':
    case 'max_over_time':
    case 'avg_over_time':
    case 'sum_over_time': {
      const { function: name, field, by } = stage;
      const measured = spans.filter((span) => isMeasured(fieldValue(field, { span })));
      return groupedSeries(measured, by, name, intervals, (cell) =>
        cell.length === 0
          ? undefined
          : overTime(
              name,
              cell.map((span) => fieldValue(field, { span })),
            ),
      );
    }
  }
}

function overTime(name: `${'min' | 'max' | 'avg' | 'sum'}_over_time`, values: readonly Value[]): number {
  const measured = values.filter(isMeasured);
  switch (name) {
    case 'sum_over_time':
      return sumOf(measured);
    case 'avg_over_time':
      return sumOf(measured) / measured.length;
    case 'min_over_time':
      return Math.min(...measured.map(inSeconds));
    case 'max_over_time':
      return Math.max(...measured.map(inSeconds));
  }
}

/** Integers and nanoseconds are added exactly. */
function sumOf(values: readonly Numeric[]): number {
  if (values.some(({ type }) => type === 'float'))
    return values.map(inSeconds).reduce((total, value) => total + value, 0);
  const sum = Number(values.reduce((total, { value }) => total + BigInt(value), 0n));
  return values.some(({ type }) => type === 'duration') ? sum / 1e9 : sum;
}

/** Durations in seconds. */
function inSeconds(value: Numeric): number {
  return value.type === 'duration' ? toFloat(value) / 1e9 : toFloat(value);
}

/** One series a bucket, named by its upper bound. */
function histogram(
  field: Field,
  by: readonly Field[],
  spans: readonly NaiveSpan[],
  intervals: Intervals,
): NaiveSeries[] {
  const buckets = new Map<number, NaiveSpan[]>();
  for (const span of spans) {
    const bucket = bucketOf(fieldValue(field, { span }));
    if (bucket !== undefined) buckets.set(bucket, [...(buckets.get(bucket) ?? []), span]);
  }
  return [...buckets].flatMap(([bucket, members]) =>
    groupedSeries(members, by, undefined, intervals, (cell) => cell.length).map(({ labels, values }) => ({
      labels: [...labels, { key: '__bucket', value: { type: 'float', value: bucket } }],
      values,
    })),
  );
}

/**
 * A series for each combination of the values of `by`, of `valueOf` the spans of each interval. Without `by` the only
 * series is called `name`.
 */
function groupedSeries(
  spans: readonly NaiveSpan[],
  by: readonly Field[],
  name: string | undefined,
  intervals: Intervals,
  valueOf: (cell: NaiveSpan[]) => number | undefined,
): NaiveSeries[] {
  const groups = new Map<string, { labels: Label[]; cells: NaiveSpan[][] }>();
  for (const span of spans) {
    for (const labels of labelsOf(span, by, name)) {
      const key = seriesKey(labels);
      const group = groups.get(key) ?? { labels, cells: Array.from({ length: intervals.count }, () => []) };
      groups.set(key, group);
      (group.cells[intervalOf(span, intervals)] as NaiveSpan[]).push(span);
    }
  }
  return [...groups.values()].map(({ labels, cells }) => {
    const series = emptySeries(labels, intervals.count);
    cells.forEach((cell, index) => (series.values[index] = valueOf(cell)));
    return series;
  });
}

/** An array counts once for each of its distinct elements. Labels that are nil are left out, but for the first where all are. */
function labelsOf(span: NaiveSpan, by: readonly Field[], name: string | undefined): Label[][] {
  const [first] = by;
  if (first === undefined) {
    return [name === undefined ? [] : [{ key: '__name__', value: { type: 'string', value: name } }]];
  }
  let combinations: Label[][] = [[]];
  for (const field of by) {
    const values = distinctElements(fieldValue(field, { span }));
    const labels = (values.length === 0 ? [NIL] : values).map((value) => ({ key: field.text, value }));
    combinations = combinations.flatMap((combination) => labels.map((label) => [...combination, label]));
  }
  return combinations.map((combination) => {
    const present = combination.filter((label) => label.value.type !== 'nil');
    return present.length > 0 ? present : [{ key: first.text, value: NIL }];
  });
}
