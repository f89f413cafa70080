import type { Label } from '../answer.ts';
import type { Value } from './model.ts';
import { compareText, compareValues, groupValue, valueKey } from './values.ts';

/** A series while it is computed: a value or none for each interval. */
export interface NaiveSeries {
  labels: Label[];
  values: (number | undefined)[];
}

export function emptySeries(labels: Label[], intervals: number): NaiveSeries {
  return { labels, values: Array.from({ length: intervals }, () => undefined) };
}

export function seriesKey(labels: readonly Label[]): string {
  return labels.map(({ key, value }) => JSON.stringify([key, valueKey(value)])).join();
}

/** Label by label: by key, then the value's text, then its type; the shorter list first. */
export function compareSeries(a: { labels: readonly Label[] }, b: { labels: readonly Label[] }): number {
  for (const [index, label] of a.labels.entries()) {
    const other = b.labels[index];
    if (other === undefined) return 1;
    const order = compareText(label.key, other.key) || compareValues(label.value, other.value);
    if (order !== 0) return order;
  }
  return a.labels.length - b.labels.length;
}

/** Of an array its elements, each once; of nil none. */
export function distinctElements(value: Value): Value[] {
  if (value.type === 'nil') return [];
  const elements = value.type === 'array' ? value.values : [value];
  return [...new Map(elements.map((element) => [valueKey(element), groupValue(element)])).values()];
}
