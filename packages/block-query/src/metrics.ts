import { assert } from '@vivace/kernel';
import type { Field, MetricsStage, Query } from '@vivace/traceql';
import type { Series } from './answer.ts';
import { answerSeries } from './metrics/answer-series.ts';
import { Budget } from './metrics/budget.ts';
import { Comparison, comparisonNeeds } from './metrics/comparison.ts';
import { countSpans, type Inspected, type SpanCounter } from './metrics/count-spans.ts';
import { Exemplars, type PlacedExemplar } from './metrics/exemplars.ts';
import { intervalsOf } from './metrics/intervals.ts';
import { metricOf } from './metrics/metric-of.ts';
import { byLabels, type RawSeries } from './metrics/raw-series.ts';
import { applySecondStage } from './metrics/second-stages.ts';
import { fieldsOfQuery, joinNeeds, needsOf } from './needs.ts';
import type { RunOptions } from './search.ts';
import type { Source } from './source.ts';

export interface MetricsRequest {
  /** One with a metric. */
  query: Query;
  /** Spans that start after it count, and up to the end: a whole number of steps, at most MAX_INTERVALS. */
  startUnixNano: bigint;
  endUnixNano: bigint;
  stepNanos: bigint;
  /** In all; 0: none. */
  exemplars: number;
  /** 0: as many as there are. */
  maxSeries: number;
  /** Of `compare()`: an attribute with more is said to have too many. */
  maxValuesPerAttribute?: number;
}

export interface MetricsResult {
  /** By their labels. */
  series: Series[];
  /** Series were left out because of `maxSeries`. */
  truncated: boolean;
  inspectedSpans: number;
  inspectedTraces: number;
}

/**
 * Runs a metrics query over all sources of a snapshot (docs/traceql.md, "Metrics"). Rejects with `SourceFailure` where
 * one of them cannot be read, and with `limited` where there are too many series.
 */
export async function metrics(
  sources: readonly Source[],
  request: MetricsRequest,
  options: RunOptions,
): Promise<MetricsResult> {
  const { query, exemplars: limit } = request;
  const stage = query.metrics;
  assert(stage !== undefined, 'the query has a metric');
  const intervals = intervalsOf(request.startUnixNano, request.endUnixNano, request.stepNanos);
  const budget = new Budget();
  let series: RawSeries[];
  let chosen: PlacedExemplar[] = [];
  let inspected: Inspected;
  if (stage.function === 'compare') {
    const comparison = new Comparison(stage, intervals, budget, request.maxValuesPerAttribute);
    const needs = joinNeeds(needsOf(fieldsOfQuery(query)), await comparisonNeeds(sources, options.signal));
    inspected = await countSpans(sources, { query, intervals, fields: 'all', needs }, comparison, options);
    series = comparison.series();
  } else {
    const metric = metricOf(stage, intervals, budget);
    const exemplars = limit > 0 ? new Exemplars(limit, metric, fieldsOf(stage), intervals) : undefined;
    const counter: SpanCounter = {
      addRows: (source, marks) => {
        metric.addRows(source, marks);
        exemplars?.addRows(source, marks);
      },
      addSpan: (trace, span, interval) => {
        if (metric.addSpan(trace, span, interval)) exemplars?.addSpan(trace, span, interval);
      },
    };
    const needs = needsOf(fieldsOf(stage));
    if (exemplars !== undefined) needs.fields.add('traceIds').add('start');
    const plan = { query, intervals, fields: fieldsOfQuery(query), needs };
    inspected = await countSpans(sources, plan, counter, options);
    series = metric.series();
    chosen = exemplars?.chosen() ?? [];
  }
  series = byLabels(series);
  for (const second of query.secondStages) series = applySecondStage(second, series, budget);
  const { maxSeries } = request;
  const shown = maxSeries === 0 ? series : series.slice(0, maxSeries);
  return {
    series: answerSeries(shown, chosen, intervals),
    truncated: shown.length < series.length,
    inspectedSpans: inspected.spans,
    inspectedTraces: inspected.traces,
  };
}

function fieldsOf(stage: Exclude<MetricsStage, { function: 'compare' }>): Field[] {
  return 'field' in stage ? [...stage.by, stage.field] : stage.by;
}
