import type { Exemplar, Series } from '../answer.ts';
import type { PlacedExemplar } from './exemplars.ts';
import { endOfInterval, type Intervals } from './intervals.ts';
import { labelsKey } from './labels.ts';
import type { RawSeries, Samples } from './raw-series.ts';

/** Series as they are answered, with those exemplars that belong to a sample of theirs. */
export function answerSeries(
  series: readonly RawSeries[],
  exemplars: readonly PlacedExemplar[],
  intervals: Intervals,
): Series[] {
  const times = Float64Array.from({ length: intervals.count }, (_, interval) => endOfInterval(intervals, interval));
  const read = series.map(({ labels, read }) => ({ labels, samples: read(), exemplars: [] as Exemplar[] }));
  const byKey = new Map(exemplars.length === 0 ? [] : read.map((one) => [labelsKey(one.labels), one] as const));
  for (const { place, interval, exemplar } of exemplars) {
    const shown = place.series
      .map((labels) => byKey.get(labelsKey(labels)))
      .filter((one) => one !== undefined && valueAt(one.samples, interval) !== undefined);
    // Beside the smallest quantile that is not below it, else beside the largest.
    const home =
      shown.length > 1
        ? (shown.find((one) => (valueAt(one?.samples, interval) ?? 0) >= exemplar.value) ?? shown.at(-1))
        : shown[0];
    if (home === undefined) continue;
    // Spans that are counted have no value of their own: they are shown at the height of the line.
    home.exemplars.push({ ...exemplar, value: place.value ?? (valueAt(home.samples, interval) as number) });
  }
  return read.map(({ labels, samples: { values, present }, exemplars: own }) => {
    const samples: Series['samples'] = [];
    for (let interval = 0; interval < values.length; interval++) {
      if (present !== undefined && present[interval] === 0) continue;
      samples.push({ timestampMs: times[interval] as number, value: values[interval] as number });
    }
    return { labels, samples, exemplars: own.sort((a, b) => a.timestampMs - b.timestampMs) };
  });
}

function valueAt(samples: Samples | undefined, interval: number): number | undefined {
  if (samples === undefined || (samples.present !== undefined && samples.present[interval] === 0)) return undefined;
  return samples.values[interval];
}
