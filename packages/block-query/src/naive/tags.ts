import type { AttributeScope, Field, Query } from '@vivace/traceql';
import { fieldValue } from './fields.ts';
import type { Attributes, NaiveSpan, NaiveTrace, Value } from './model.ts';
import { runPipeline } from './pipeline.ts';
import { type NaiveRange, overlaps } from './search.ts';
import { distinctElements } from './series.ts';
import { compareText, compareValues } from './values.ts';

export type TagScope = Exclude<AttributeScope, 'any'>;

/** The names of attributes of all spans in range, or of those that a query picks; each scope's in order. */
export function naiveTags(
  traces: readonly NaiveTrace[],
  query: Query | undefined,
  range: NaiveRange,
): Record<TagScope, string[]> {
  const spans = spansOf(traces, query, range);
  const namesOf = (attributes: Attributes[]) =>
    [...new Set(attributes.flatMap((one) => [...one.keys()]))].sort(compareText);
  return {
    span: namesOf(spans.map((span) => span.attributes)),
    resource: namesOf(spans.map((span) => span.resource)),
    event: namesOf(spans.flatMap((span) => span.events.map((event) => event.attributes))),
    link: namesOf(spans.flatMap((span) => span.links.map((link) => link.attributes))),
    instrumentation: namesOf(spans.map((span) => span.scope.attributes)),
  };
}

/** The distinct values of a field, elements of arrays each for itself; maps, bytes and empty values are left out. In order. */
export function naiveTagValues(
  traces: readonly NaiveTrace[],
  field: Field,
  query: Query | undefined,
  range: NaiveRange,
): Value[] {
  const values = spansOf(traces, query, range).flatMap((span) => distinctElements(fieldValue(field, { span })));
  return distinctElements({ type: 'array', values })
    .filter(({ type }) => type !== 'other' && type !== 'array')
    .sort(compareValues);
}

function spansOf(traces: readonly NaiveTrace[], query: Query | undefined, range: NaiveRange): NaiveSpan[] {
  const inRange = traces.filter((trace) => overlaps(trace, range));
  if (query === undefined) return inRange.flatMap((trace) => trace.spans);
  return inRange.flatMap((trace) => runPipeline(query.pipeline, trace)).flatMap(({ spans }) => spans);
}
