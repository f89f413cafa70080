import type { Label } from '../answer.ts';
import type { Intervals } from './intervals.ts';
import { compareLabels } from './labels.ts';

/** A sample for each interval; `present` says of which, undefined: of all. */
export interface Samples {
  values: Float64Array;
  present: Uint8Array | undefined;
}

/** A series whose samples are worked out when they are asked for: most of a query that is cut off never are. */
export interface RawSeries {
  labels: Label[];
  read: () => Samples;
}

/** A series without samples. */
export function noSamples({ count }: Intervals): Samples {
  return { values: new Float64Array(count), present: new Uint8Array(count) };
}

export function byLabels(series: readonly RawSeries[]): RawSeries[] {
  return [...series].sort((a, b) => compareLabels(a.labels, b.labels));
}
