import type { SpansetAnswer, TraceMatch } from '@vivace/block-query';
import { bytesToHex, compareBytes } from '@vivace/kernel';

/** The traces of several tenants, newest first; a trace that several have a part of is one. */
export function mergeMatches(
  found: readonly (readonly TraceMatch[])[],
  { limit, spansPerSpanset }: { limit: number; spansPerSpanset: number },
): TraceMatch[] {
  const byId = new Map<string, TraceMatch>();
  for (const match of found.flat()) {
    const id = bytesToHex(match.traceId);
    const before = byId.get(id);
    byId.set(id, before === undefined ? match : joinMatches(before, match, spansPerSpanset));
  }
  const traces = [...byId.values()].sort(
    (a, b) => compareTimes(b.startUnixNano, a.startUnixNano) || compareBytes(a.traceId, b.traceId),
  );
  return traces.slice(0, limit);
}

function joinMatches(a: TraceMatch, b: TraceMatch, spansPerSpanset: number): TraceMatch {
  const startUnixNano = a.startUnixNano < b.startUnixNano ? a.startUnixNano : b.startUnixNano;
  const ends = [a, b].map((match) => match.startUnixNano + match.durationNanos) as [bigint, bigint];
  const services = new Map(a.services);
  for (const [name, counts] of b.services) {
    const before = services.get(name);
    services.set(name, {
      spanCount: counts.spanCount + (before?.spanCount ?? 0),
      errorCount: counts.errorCount + (before?.errorCount ?? 0),
    });
  }
  return {
    traceId: a.traceId,
    root: a.root ?? b.root,
    startUnixNano,
    durationNanos: (ends[0] > ends[1] ? ends[0] : ends[1]) - startUnixNano,
    services,
    spansets: joinSpansets(a.spansets, b.spansets, spansPerSpanset),
  };
}

/** One set each becomes one set: Grafana's structure view takes no more. Groups stay apart. */
function joinSpansets(
  a: readonly SpansetAnswer[],
  b: readonly SpansetAnswer[],
  spansPerSpanset: number,
): SpansetAnswer[] {
  const [first] = a;
  const [second] = b;
  if (first === undefined || second === undefined || a.length + b.length > 2) return [...a, ...b];
  const spans = [...first.spans, ...second.spans].sort(
    (x, y) => compareTimes(x.startUnixNano, y.startUnixNano) || compareBytes(x.spanId, y.spanId),
  );
  return [
    {
      spans: spansPerSpanset === 0 ? spans : spans.slice(0, spansPerSpanset),
      matched: first.matched + second.matched,
      attributes: first.attributes,
    },
  ];
}

function compareTimes(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
