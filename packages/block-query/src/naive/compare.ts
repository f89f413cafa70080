import type { MetricsStage } from '@vivace/traceql';
import { holds } from './expressions.ts';
import { type Intervals, intervalOf } from './intervals.ts';
import { type NaiveSpan, NIL, serviceOf, type Value } from './model.ts';
import { distinctElements, emptySeries, type NaiveSeries } from './series.ts';
import { compareValues, valueKey } from './values.ts';

type CompareStage = Extract<MetricsStage, { function: 'compare' }>;
type Side = 'baseline' | 'selection';

interface ValueCounts {
  value: Value;
  counts: Record<Side, number[]>;
}

/**
 * How often each value of each attribute occurs in the selection and in the rest. Of each attribute the values that
 * occur most often in both together are shown, and how many spans do not have it, and how many spans there are.
 */
export function compareSelections(
  stage: CompareStage,
  spans: readonly NaiveSpan[],
  intervals: Intervals,
  maxValues: number,
): NaiveSeries[] {
  const sided = spans.map((span) => ({ span, side: sideOf(stage, span) }));
  const totals = countsOf(sided, intervals);
  const series: NaiveSeries[] = [];
  for (const [attribute, values] of attributeValues(spans)) {
    if (values.length > maxValues) {
      series.push(labelled('__meta_error', '__too_many_values__', attribute, NIL, intervals));
      continue;
    }
    const known = values.map((value) => ({
      value,
      counts: countsOf(
        sided.filter(({ span }) => has(span, attribute, value)),
        intervals,
      ),
    }));
    const missing = {
      value: NIL,
      counts: countsOf(
        sided.filter(({ span }) => valuesOf(span, attribute).length === 0),
        intervals,
      ),
    };
    const top = known.sort((a, b) => total(b) - total(a) || compareValues(a.value, b.value)).slice(0, stage.top);
    for (const side of ['baseline', 'selection'] as const) {
      for (const { value, counts } of [...top, missing]) {
        if (!isEmpty(counts[side]))
          series.push(labelled('__meta_type', side, attribute, value, intervals, counts[side]));
      }
      if (!isEmpty(totals[side])) {
        series.push(labelled('__meta_type', `${side}_total`, attribute, NIL, intervals, totals[side]));
      }
    }
  }
  return series;
}

function sideOf({ selection, start, end }: CompareStage, span: NaiveSpan): Side {
  const isTimely =
    start === undefined || end === undefined || (start < span.startUnixNano && span.startUnixNano <= end);
  const isSelected = selection.expression === undefined || holds(selection.expression, span);
  return isTimely && isSelected ? 'selection' : 'baseline';
}

function countsOf(sided: readonly { span: NaiveSpan; side: Side }[], intervals: Intervals): Record<Side, number[]> {
  const zeros = () => Array.from({ length: intervals.count }, () => 0);
  const counts = { baseline: zeros(), selection: zeros() };
  for (const { span, side } of sided) counts[side][intervalOf(span, intervals)]!++;
  return counts;
}

function isEmpty(counts: readonly number[]): boolean {
  return counts.every((count) => count === 0);
}

function total({ counts }: ValueCounts): number {
  return [...counts.baseline, ...counts.selection].reduce((sum, count) => sum + count, 0);
}

/** Every attribute with its distinct values, of any type but maps, bytes and empty ones. */
function attributeValues(spans: readonly NaiveSpan[]): Map<string, Value[]> {
  const found = new Map<string, Map<string, Value>>();
  for (const span of spans) {
    for (const attribute of attributesOf(span).keys()) {
      const values = found.get(attribute) ?? new Map<string, Value>();
      for (const value of valuesOf(span, attribute)) values.set(valueKey(value), value);
      if (values.size > 0) found.set(attribute, values);
    }
  }
  return new Map([...found].map(([attribute, values]) => [attribute, [...values.values()]]));
}

function has(span: NaiveSpan, attribute: string, value: Value): boolean {
  return valuesOf(span, attribute).some((one) => valueKey(one) === valueKey(value));
}

function valuesOf(span: NaiveSpan, attribute: string): Value[] {
  return distinctElements(attributesOf(span).get(attribute) ?? NIL).filter(
    ({ type }) => type !== 'other' && type !== 'array',
  );
}

/** What spans are compared by: their attributes, those of their resources, and the intrinsics with few values. */
function attributesOf(span: NaiveSpan): Map<string, Value> {
  const found = new Map<string, Value>();
  for (const [key, value] of span.attributes) found.set(`span.${key}`, value);
  for (const [key, value] of span.resource) found.set(`resource.${key}`, value);
  found.set('name', { type: 'string', value: span.name });
  found.set('status', { type: 'status', value: span.status });
  found.set('kind', { type: 'kind', value: span.kind });
  if (span.statusMessage !== '') found.set('statusMessage', { type: 'string', value: span.statusMessage });
  const { root } = span.trace;
  if (root !== undefined) {
    found.set('rootName', { type: 'string', value: root.name });
    found.set('rootServiceName', { type: 'string', value: serviceOf(root) });
  }
  return found;
}

function labelled(
  meta: '__meta_type' | '__meta_error',
  name: string,
  attribute: string,
  value: Value,
  intervals: Intervals,
  values?: readonly number[],
): NaiveSeries {
  const labels = [
    { key: meta, value: { type: 'string', value: name } as const },
    { key: attribute, value },
  ];
  return values === undefined ? emptySeries(labels, intervals.count) : { labels, values: [...values] };
}
