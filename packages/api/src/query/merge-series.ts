import { type Label, type Series, textOf } from '@vivace/block-query';
import { VivaceError } from '@vivace/kernel';
import type { Query } from '@vivace/traceql';

/** How the values of one moment of two tenants become one. */
export type Merging = (a: number, b: number) => number;

const sum: Merging = (a, b) => a + b;

/**
 * How a query's answers of several tenants are put together. Throws `invalid` for what has no right sum: averages
 * and quantiles are not made of averages and quantiles, and what a later stage left out is gone.
 */
export function mergingOf({ metrics, secondStages }: Query): Merging {
  switch (secondStages.length > 0 ? undefined : metrics?.function) {
    case 'rate':
    case 'count_over_time':
    case 'sum_over_time':
    case 'histogram_over_time':
      return sum;
    case 'min_over_time':
      return Math.min;
    case 'max_over_time':
      return Math.max;
    case 'avg_over_time':
    case 'quantile_over_time':
    case 'compare':
    case undefined:
      throw new VivaceError(
        'invalid',
        'metrics-of-tenants',
        `${metrics?.function ?? 'this query'}${secondStages.length > 0 ? ' with a stage after it' : ''} has no right answer over several tenants\nask one tenant at a time`,
      );
  }
}

/** The series of several tenants, those with the same labels as one. */
export function mergeSeries(
  answers: readonly (readonly Series[])[],
  merging: Merging,
  { exemplars, maxSeries }: { exemplars: number; maxSeries: number },
): { series: Series[]; truncated: boolean } {
  const byLabels = new Map<string, Series[]>();
  for (const series of answers.flat()) {
    const key = labelsKey(series.labels);
    const same = byLabels.get(key);
    if (same === undefined) byLabels.set(key, [series]);
    else same.push(series);
  }
  let exemplarsLeft = exemplars;
  const merged: Series[] = [];
  for (const same of byLabels.values()) {
    const shown = same.flatMap((series) => series.exemplars).slice(0, exemplarsLeft);
    exemplarsLeft -= shown.length;
    merged.push({ labels: same[0]?.labels ?? [], samples: mergeSamples(same, merging), exemplars: shown });
  }
  if (maxSeries === 0 || merged.length <= maxSeries) return { series: merged, truncated: false };
  return { series: merged.slice(0, maxSeries), truncated: true };
}

function mergeSamples(same: readonly Series[], merging: Merging): Series['samples'] {
  const values = new Map<number, number>();
  for (const { timestampMs, value } of same.flatMap((series) => series.samples)) {
    const before = values.get(timestampMs);
    if (before === undefined || Number.isNaN(before)) values.set(timestampMs, value);
    else if (!Number.isNaN(value)) values.set(timestampMs, merging(before, value));
  }
  return [...values]
    .map(([timestampMs, value]) => ({ timestampMs, value }))
    .sort((a, b) => a.timestampMs - b.timestampMs);
}

function labelsKey(labels: readonly Label[]): string {
  const parts = labels.map(({ key, value }) => JSON.stringify([key, value.type, textOf(value)]));
  return parts.sort().join('');
}
