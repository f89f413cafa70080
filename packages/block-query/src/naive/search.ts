import { compareBytes } from '@vivace/kernel';
import type { Query } from '@vivace/traceql';
import type { SpanAnswer, TraceMatch } from '../answer.ts';
import { type NaiveSpan, type NaiveTrace, serviceOf, spanDuration, traceDuration } from './model.ts';
import { type NamedField, namedFields, shownValue } from './named-fields.ts';
import { runPipeline } from './pipeline.ts';

/** Both ends belong to the range; undefined is unbounded. */
export interface NaiveRange {
  startUnixNano?: bigint | undefined;
  endUnixNano?: bigint | undefined;
}

export interface NaiveSearchOptions extends NaiveRange {
  /** Most traces. */
  limit: number;
  /** Most spans a spanset. */
  spansPerSpanset: number;
}

/** The traces that match, newest start first, then by id. */
export function naiveSearch(
  traces: readonly NaiveTrace[],
  query: Query,
  { limit, spansPerSpanset, ...range }: NaiveSearchOptions,
): TraceMatch[] {
  const fields = namedFields(query);
  const matches: TraceMatch[] = [];
  for (const trace of traces.filter((one) => overlaps(one, range)).sort(newestFirst)) {
    const spansets = runPipeline(query.pipeline, trace);
    if (spansets.length === 0) continue;
    matches.push({
      traceId: trace.traceId,
      root: trace.root && { service: serviceOf(trace.root), name: trace.root.name },
      startUnixNano: trace.startUnixNano,
      durationNanos: traceDuration(trace),
      services: servicesOf(trace),
      spansets: spansets.map(({ spans, attributes }) => ({
        spans: spans.slice(0, spansPerSpanset).map((span) => answerSpan(span, fields)),
        matched: spans.length,
        attributes,
      })),
    });
  }
  return matches.slice(0, limit);
}

/** Whether any part of the trace lies in the range. */
export function overlaps(trace: NaiveTrace, { startUnixNano, endUnixNano }: NaiveRange): boolean {
  if (endUnixNano !== undefined && trace.startUnixNano > endUnixNano) return false;
  return startUnixNano === undefined || trace.endUnixNano >= startUnixNano;
}

function newestFirst(a: NaiveTrace, b: NaiveTrace): number {
  if (a.startUnixNano !== b.startUnixNano) return a.startUnixNano > b.startUnixNano ? -1 : 1;
  return compareBytes(a.traceId, b.traceId);
}

function servicesOf(trace: NaiveTrace): TraceMatch['services'] {
  const services: TraceMatch['services'] = new Map();
  for (const span of trace.spans) {
    const service = serviceOf(span);
    const counts = services.get(service) ?? { spanCount: 0, errorCount: 0 };
    counts.spanCount++;
    if (span.status === 'error') counts.errorCount++;
    services.set(service, counts);
  }
  return services;
}

function answerSpan(span: NaiveSpan, fields: readonly NamedField[]): SpanAnswer {
  const answer: SpanAnswer = {
    spanId: span.spanId,
    name: undefined,
    startUnixNano: span.startUnixNano,
    durationNanos: spanDuration(span),
    attributes: [],
  };
  for (const named of fields) {
    const { field } = named;
    const value = shownValue(named, span);
    if (field.kind === 'intrinsic' && field.name === 'span:name') answer.name = span.name;
    else if (value.type !== 'nil' || named.missingShown) {
      answer.attributes.push({ key: field.kind === 'intrinsic' ? field.text : field.name, value });
    }
  }
  return answer;
}
