import type { SecondStage, Static } from '@vivace/traceql';
import { compareFlags, positiveOperator, verdict } from '../value.ts';
import type { Budget } from './budget.ts';
import type { RawSeries, Samples } from './raw-series.ts';

/** What comes after the metric, over all series, in order of their labels. Those left without samples are dropped. */
export function applySecondStage(stage: SecondStage, series: readonly RawSeries[], budget: Budget): RawSeries[] {
  const read = series.map(({ labels, read }) => {
    const samples = read();
    // Of each interval a value, whether it is there, and whether it stays.
    budget.take(10 * samples.values.length);
    return { labels, samples };
  });
  const all = read.map(({ samples }) => samples);
  const kept = stage.kind === 'metrics-filter' ? filtered(stage, all) : ranked(stage, all);
  return read.flatMap(({ labels, samples: { values } }, i) => {
    const present = kept[i] as Uint8Array;
    return present.includes(1) ? [{ labels, read: () => ({ values, present }) }] : [];
  });
}

function filtered(
  { operator, value }: SecondStage & { kind: 'metrics-filter' },
  series: readonly Samples[],
): Uint8Array[] {
  const positive = positiveOperator(operator);
  const threshold = { type: 'float', value: thresholdOf(value) } as const;
  return series.map(({ values, present }) =>
    Uint8Array.from(values, (sample, interval) => {
      if (present !== undefined && present[interval] === 0) return 0;
      return verdict(operator, compareFlags(positive, { type: 'float', value: sample }, threshold)) ? 1 : 0;
    }),
  );
}

/** Durations in seconds, as samples are. */
function thresholdOf(value: Static): number {
  switch (value.type) {
    case 'float':
      return value.value;
    case 'int':
      return Number(value.value);
    case 'duration':
      return Number(value.value) / 1e9;
    default:
      return Number.NaN;
  }
}

/**
 * Of each interval the largest or smallest samples: all that are better than the last that is kept, and of those
 * equal to it the first by labels. NaN is worse than every number.
 */
function ranked({ kind, limit }: SecondStage & { kind: 'topk' | 'bottomk' }, series: readonly Samples[]): Uint8Array[] {
  const sign = kind === 'topk' ? -1 : 1;
  const kept = series.map(({ values }) => new Uint8Array(values.length));
  const scores = new Float64Array(series.length);
  for (let interval = 0; interval < (kept[0]?.length ?? 0); interval++) {
    let count = 0;
    for (const { values, present } of series) {
      if (present === undefined || present[interval] === 1) scores[count++] = sign * (values[interval] as number);
    }
    // Typed arrays sort by number, and NaN last.
    const sorted = scores.slice(0, count).sort();
    const last = sorted[Math.min(limit, count) - 1] as number;
    let better = 0;
    while (better < count && isBetter(sorted[better] as number, last)) better++;
    let equals = Math.min(limit, count) - better;
    for (const [i, { values, present }] of series.entries()) {
      if (present !== undefined && present[interval] === 0) continue;
      const score = sign * (values[interval] as number);
      if (isBetter(score, last)) (kept[i] as Uint8Array)[interval] = 1;
      else if (equals > 0 && !isBetter(last, score)) {
        (kept[i] as Uint8Array)[interval] = 1;
        equals--;
      }
    }
  }
  return kept;
}

function isBetter(score: number, other: number): boolean {
  return score < other || (Number.isNaN(other) && !Number.isNaN(score));
}
