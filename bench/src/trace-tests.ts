import type { SpanFacts } from './span-facts.ts';
import type { SpanTest } from './span-tests.ts';
import { type Truth, traceIdAt } from './truth.ts';

/** Whether a trace is meant, by its rows `[first, end)`. */
export type TraceTest = (first: number, end: number) => boolean;

export function anySpan(test: SpanTest): TraceTest {
  return (first, end) => {
    for (let row = first; row < end; row++) if (test(row)) return true;
    return false;
  };
}

export function bothSpans(one: SpanTest, other: SpanTest): TraceTest {
  const hasOne = anySpan(one);
  const hasOther = anySpan(other);
  return (first, end) => hasOne(first, end) && hasOther(first, end);
}

export function anyChild(facts: SpanFacts, parent: SpanTest, child: SpanTest): TraceTest {
  return anySpan((row) => child(row) && (facts.parent[row] as number) >= 0 && parent(facts.parent[row] as number));
}

export function anyDescendant(facts: SpanFacts, ancestor: SpanTest, descendant: SpanTest): TraceTest {
  return anySpan((row) => {
    if (!descendant(row)) return false;
    for (let above = facts.parent[row] as number; above >= 0; above = facts.parent[above] as number) {
      if (ancestor(above)) return true;
    }
    return false;
  });
}

export function moreThan(count: number, test: SpanTest): TraceTest {
  return (first, end) => {
    let found = 0;
    for (let row = first; row < end; row++) if (test(row)) found++;
    return found > count;
  };
}

export function averageAbove(facts: SpanFacts, milliseconds: number, test: SpanTest): TraceTest {
  return (first, end) => {
    let found = 0;
    let sum = 0;
    for (let row = first; row < end; row++) {
      if (!test(row)) continue;
      found++;
      sum += facts.duration[row] as number;
    }
    return found > 0 && sum / found > milliseconds * 1e6;
  };
}

/** More than `count` spans of any one service. */
export function serviceMoreThan(facts: SpanFacts, count: number): TraceTest {
  const found = new Uint32Array(facts.services.length);
  return (first, end) => {
    found.fill(0);
    for (let row = first; row < end; row++) (found[facts.service[row] as number] as number)++;
    return found.some((spans) => spans > count);
  };
}

/** A dataset as questions see it: one tenant's traces, each with its rows. */
export interface AskedTraces {
  facts: SpanFacts;
  /** Ids of the traces that are meant, in the order of answers: the newest start first, then the smaller id. */
  matching: (test: TraceTest) => string[];
  /** Calls for every row of the tenant. */
  eachRow: (visit: (row: number) => void) => void;
  /** Traces with an order's id, by number. */
  ordered: number[];
  id: (trace: number) => string;
  /** Bounds of all spans of the tenant, in milliseconds since 1970. */
  startMs: number;
  endMs: number;
}

/** The traces of tenant 0, which is the largest. */
export function askedTraces(truth: Truth, facts: SpanFacts): AskedTraces {
  const firsts = new Uint32Array(truth.traces + 1);
  const starts = new Float64Array(truth.traces);
  const own: number[] = [];
  const ordered: number[] = [];
  let earliest = Number.POSITIVE_INFINITY;
  let latest = 0;
  for (let trace = 0; trace < truth.traces; trace++) {
    const first = firsts[trace] as number;
    const end = first + (truth.counts[trace] as number);
    firsts[trace + 1] = end;
    if (truth.tenants[trace] !== 0) continue;
    own.push(trace);
    let start = Number.POSITIVE_INFINITY;
    let hasOrder = false;
    for (let row = first; row < end; row++) {
      start = Math.min(start, facts.start[row] as number);
      latest = Math.max(latest, (facts.start[row] as number) + (facts.duration[row] as number));
      if (facts.ordered[row] === 1) hasOrder = true;
    }
    starts[trace] = start;
    earliest = Math.min(earliest, start);
    if (hasOrder) ordered.push(trace);
  }
  const originMs = Number(facts.originNs / 1_000_000n);
  const id = (trace: number) => traceIdAt(truth, trace);
  const rows = (trace: number) => [firsts[trace] as number, firsts[trace + 1] as number] as const;
  const inOrder = (a: number, b: number) => (starts[b] as number) - (starts[a] as number) || (id(a) < id(b) ? -1 : 1);
  return {
    facts,
    ordered,
    id,
    startMs: originMs + earliest / 1e6,
    endMs: originMs + latest / 1e6,
    matching: (test) =>
      own
        .filter((trace) => test(...rows(trace)))
        .sort(inOrder)
        .map(id),
    eachRow: (visit) => {
      for (const trace of own)
        for (let row = firsts[trace] as number; row < (firsts[trace + 1] as number); row++) visit(row);
    },
  };
}
