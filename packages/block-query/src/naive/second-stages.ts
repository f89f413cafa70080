import type { SecondStage, Static } from '@vivace/traceql';
import type { NaiveSeries } from './series.ts';
import { compare } from './values.ts';

/** What comes after the metric; `series` in order of their labels. Series left without samples are dropped. */
export function applySecondStage(stage: SecondStage, series: readonly NaiveSeries[]): NaiveSeries[] {
  const kept = series.map(({ labels, values }) => ({
    labels,
    values: values.map((value, interval) =>
      value !== undefined && keeps(stage, value, series, interval, labels) ? value : undefined,
    ),
  }));
  return kept.filter(({ values }) => values.some((value) => value !== undefined));
}

function keeps(
  stage: SecondStage,
  value: number,
  series: readonly NaiveSeries[],
  interval: number,
  labels: NaiveSeries['labels'],
): boolean {
  if (stage.kind === 'metrics-filter') {
    return compare(stage.operator, { type: 'float', value }, thresholdOf(stage.value));
  }
  const sign = stage.kind === 'topk' ? -1 : 1;
  // Sorting is stable: of equal values the first by labels stay.
  const ranked = series
    .filter((one) => one.values[interval] !== undefined)
    .sort((a, b) => sign * ((a.values[interval] as number) - (b.values[interval] as number)));
  return ranked.slice(0, stage.limit).some((one) => one.labels === labels);
}

/** Durations in seconds, as samples are. */
function thresholdOf(value: Static): { type: 'float'; value: number } {
  const isNumber = value.type === 'int' || value.type === 'float' || value.type === 'duration';
  const number = isNumber ? Number(value.value) : Number.NaN;
  return { type: 'float', value: value.type === 'duration' ? number / 1e9 : number };
}
