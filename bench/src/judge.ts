import { type CanonicalSpan, canonicalSpans, contentHash } from './canonical.ts';
import type { SampledTrace } from './truth.ts';
import { fields } from './wire-reader.ts';

/** What an answer is worth. */
export interface Verdict {
  /** Every span that was sent, once, and no other. */
  whole: boolean;
  /** And each with everything it was sent with. */
  equal: boolean;
  /** The first thing wrong. */
  complaint: string | undefined;
  /** The first span whose content is not what was sent, as it was answered. */
  different?: CanonicalSpan | undefined;
}

/** Compares an answered trace (OTLP `TracesData` bytes) with what was sent. */
export function judge(sent: SampledTrace, answer: Uint8Array): Verdict {
  const missing = new Set(sent.spans.keys());
  let whole: string | undefined;
  let different: CanonicalSpan | undefined;
  try {
    for (const span of canonicalSpans(answer)) {
      if (span.traceId !== sent.traceId) whole ??= `a span of trace ${span.traceId}`;
      else if (!sent.spans.has(span.spanId)) whole ??= `span ${span.spanId} was never sent`;
      else if (!missing.delete(span.spanId)) whole ??= `span ${span.spanId} twice`;
      else if (contentHash(span.text) !== sent.spans.get(span.spanId)) different ??= span;
    }
  } catch (error) {
    whole ??= `not OTLP: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (missing.size > 0) whole ??= `${missing.size} of ${sent.spans.size} spans missing, span ${[...missing][0]}`;
  const equal = whole === undefined && different === undefined;
  const complaint = whole ?? (different && `span ${different.spanId} is not as it was sent`);
  return { whole: whole === undefined, equal, complaint, different };
}

/** Where two texts part, with a little around. */
export function firstDifference(sent: string, answered: string): string {
  let at = 0;
  while (at < sent.length && sent[at] === answered[at]) at++;
  const around = (text: string) => text.slice(Math.max(0, at - 60), at + 100);
  return `sent …${around(sent)}… answered …${around(answered)}…`;
}

/** `trace` and `status` of Tempo's `TraceByIDResponse`. */
export function readTraceByIdResponse(body: Uint8Array): { trace: Uint8Array; partial: boolean } {
  let trace = new Uint8Array(0);
  let partial = false;
  for (const field of fields(body)) {
    if (field.number === 1) trace = new Uint8Array(body.subarray(field.start, field.end));
    else if (field.number === 3) partial = body[field.start] === 1;
  }
  return { trace, partial };
}

/** Spans in `TracesData` bytes, without looking into them. */
export function countSpans(bytes: Uint8Array): number {
  let count = 0;
  for (const resource of fields(bytes)) {
    if (resource.number !== 1) continue;
    for (const scope of fields(bytes, resource.start, resource.end)) {
      if (scope.number !== 2) continue;
      for (const span of fields(bytes, scope.start, scope.end)) if (span.number === 2) count++;
    }
  }
  return count;
}
