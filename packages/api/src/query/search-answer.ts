import {
  type AttributeTypes,
  durationMsOf,
  NO_ROOT,
  type QueryStats,
  type SearchTraceOptions,
  type SpanAnswer,
  type SpansetAnswer,
  type TraceMatch,
  traceIdText,
  uint32,
} from '@vivace/block-query';
import { bytesToHex } from '@vivace/kernel';
import type { SearchMetrics, SearchTrace, SpanMessage, SpanSetMessage } from './tempopb.ts';

/** A trace of a search, as Tempo writes it. The traces of `types` must be settled. */
export function searchTrace(match: TraceMatch, { types, spansets }: SearchTraceOptions): SearchTrace {
  const facts: SearchTrace = {
    traceID: traceIdText(match.traceId),
    rootServiceName: match.root?.service ?? NO_ROOT,
    rootTraceName: match.root?.name ?? '',
    startTimeUnixNano: match.startUnixNano,
    durationMs: durationMsOf(match),
  };
  if (!spansets) return facts;
  const sets = match.spansets.map((set) => spanSetMessage(set, types));
  return {
    ...facts,
    // Where it is there Grafana's table shows it and no other, so of several none may be it.
    ...(sets.length === 1 ? { spanSet: sets[0] as SpanSetMessage } : {}),
    spanSets: sets,
    serviceStats: match.services,
  };
}

export function searchMetrics(stats: QueryStats): SearchMetrics {
  return {
    inspectedTraces: uint32(stats.inspectedTraces),
    inspectedBytes: stats.inspectedBytes,
    totalBlocks: uint32(stats.totalBlocks),
    completedJobs: uint32(stats.completedJobs),
    totalJobs: uint32(stats.totalJobs),
    totalBlockBytes: stats.totalBlockBytes,
    inspectedSpans: stats.inspectedSpans,
  };
}

function spanSetMessage({ spans, matched, attributes }: SpansetAnswer, types: AttributeTypes): SpanSetMessage {
  return {
    spans: spans.map((span) => spanMessage(span, types)),
    matched: uint32(matched),
    attributes: types.write(attributes),
  };
}

function spanMessage(span: SpanAnswer, types: AttributeTypes): SpanMessage {
  return {
    spanID: bytesToHex(span.spanId),
    ...(span.name === undefined ? {} : { name: span.name }),
    startTimeUnixNano: span.startUnixNano,
    durationNanos: span.durationNanos,
    attributes: types.write(span.attributes),
  };
}
