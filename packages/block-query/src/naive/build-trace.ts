import { bytesToHex, compareBytes } from '@vivace/kernel';
import type { NaiveSpan, NaiveTrace, SpanRecord } from './model.ts';

/** Makes a trace of its spans, each there once, and works out what they are to each other. */
export function buildTrace(traceId: Uint8Array, records: readonly SpanRecord[]): NaiveTrace {
  const spans: NaiveSpan[] = [];
  const trace: NaiveTrace = { traceId, spans, startUnixNano: 0n, endUnixNano: 0n, root: undefined };
  for (const record of [...records].sort(canonicalOrder)) {
    const places = { nestedSetLeft: 0n, nestedSetRight: 0n, nestedSetParent: 0n };
    spans.push({ ...record, ...places, trace, parent: undefined, children: [] });
  }
  trace.root = spans.find((span) => span.parentId === undefined);
  trace.startUnixNano = spans[0]?.startUnixNano ?? 0n;
  trace.endUnixNano = trace.startUnixNano;
  for (const { endUnixNano } of spans) if (endUnixNano > trace.endUnixNano) trace.endUnixNano = endUnixNano;
  linkParents(spans);
  numberSpans(spans);
  return trace;
}

function canonicalOrder(a: SpanRecord, b: SpanRecord): number {
  if (a.startUnixNano !== b.startUnixNano) return a.startUnixNano < b.startUnixNano ? -1 : 1;
  return compareBytes(a.spanId, b.spanId) || a.kindNumber - b.kindNumber;
}

function linkParents(spans: readonly NaiveSpan[]): void {
  const first = new Map<string, NaiveSpan>();
  for (const span of spans) {
    const id = bytesToHex(span.spanId);
    if (!first.has(id)) first.set(id, span);
  }
  for (const span of spans) span.parent = span.parentId && first.get(bytesToHex(span.parentId));
  // All are found before any is cut, or the rest of a cycle would look sound.
  const circling = spans.filter((span) => isOnCycle(span, spans.length));
  for (const span of circling) span.parent = undefined;
  for (const span of spans) span.parent?.children.push(span);
}

function isOnCycle(span: NaiveSpan, spanCount: number): boolean {
  let ancestor = span.parent;
  for (let steps = 0; steps < spanCount && ancestor !== undefined; steps++) {
    if (ancestor === span) return true;
    ancestor = ancestor.parent;
  }
  return false;
}

/** Counts from 1, once on the way into a span and once on the way out; the trees of roots come first. */
function numberSpans(spans: readonly NaiveSpan[]): void {
  let next = 1n;
  const tops = spans.filter((span) => span.parent === undefined);
  for (const top of tops.filter((span) => span.parentId === undefined)) visit(top, -1n);
  for (const top of tops.filter((span) => span.parentId !== undefined)) visit(top, 0n);

  function visit(span: NaiveSpan, parent: bigint): void {
    span.nestedSetParent = parent;
    span.nestedSetLeft = next++;
    for (const child of span.children) visit(child, span.nestedSetLeft);
    span.nestedSetRight = next++;
  }
}
