import { isKind } from '@vivace/kernel';
import type { Field, Query } from '@vivace/traceql';
import type { Needs } from '../batch.ts';
import type { BatchRows } from '../batch-rows.ts';
import { traceRowsOf } from '../column-flags.ts';
import { holdsOf } from '../evaluate.ts';
import { findSpans } from '../find-spans.ts';
import { type Filter, factNeeds, joinNeeds, needsOf, noNeeds } from '../needs.ts';
import { runPipeline } from '../run-pipeline.ts';
import type { RunOptions } from '../search.ts';
import { type SelectedBatch, selectTraces } from '../select-traces.ts';
import type { Source } from '../source.ts';
import { atSource, failureOf } from '../source-failure.ts';
import type { TraceRows } from '../trace-rows.ts';
import { type Intervals, intervalOf, type Marks, markIntervals, mayBeMarked } from './intervals.ts';

/** Takes the spans that a pipeline leaves. Throws only `limited`, and what reading of the spans throws. */
export interface SpanCounter {
  /** Rows that are marked with an interval; those that do not count lose their mark. */
  addRows(source: BatchRows, marks: Marks): void;
  addSpan(trace: TraceRows, span: number, interval: number): void;
}

export interface CountPlan {
  query: Query;
  intervals: Intervals;
  /** Everything that the query reads of spans, see `mergeParts`. */
  fields: readonly Field[] | 'all';
  /** What the counter reads of spans. */
  needs: Needs;
}

export interface Inspected {
  spans: number;
  traces: number;
}

/** Traces looked at between two breaths. */
const BREATHE_EVERY = 500;

/** Hands every span that a query's pipeline leaves in its range to the counter. */
export async function countSpans(
  sources: readonly Source[],
  plan: CountPlan,
  counter: SpanCounter,
  options: RunOptions,
): Promise<Inspected> {
  const { stages } = plan.query.pipeline;
  const [first] = stages;
  if (stages.length === 1 && first?.kind === 'filter') return countFiltered(sources, plan, first, counter, options);
  return countTraces(sources, plan, counter, options);
}

/** Spans by themselves. */
async function countFiltered(
  sources: readonly Source[],
  { intervals, fields, needs }: CountPlan,
  filter: Filter,
  counter: SpanCounter,
  options: RunOptions,
): Promise<Inspected> {
  const { merged, ...inspected } = await findSpans(
    sources,
    {
      filter,
      isAsked: (batch, { immutable }) => mayBeMarked(batch, intervals, immutable),
      marksOf: (batch, list) => markIntervals(batch, intervals, list),
      markNeeds: startNeeds(),
      needs,
      fields,
      ...options,
    },
    (source, rows, marks) => counting(source, () => counter.addRows(rows, marks)),
  );
  const { expression } = filter;
  await eachTrace(merged, options, (trace) => {
    for (let span = 0; span < trace.count; span++) {
      const interval = intervalOf(trace.source(span).startOf(trace.row(span)), intervals);
      if (interval < 0) continue;
      if (expression === undefined || holdsOf(expression, trace, span)) counter.addSpan(trace, span, interval);
    }
  });
  return inspected;
}

/** Trace by trace; what is left of those of one batch is counted together. */
async function countTraces(
  sources: readonly Source[],
  { query: { pipeline }, intervals, fields, needs }: CountPlan,
  counter: SpanCounter,
  options: RunOptions,
): Promise<Inspected> {
  const { signal, breathe } = options;
  const selection = await selectTraces(sources, { pipeline, fields, needs, ...options });
  const allNeeds = joinNeeds(factNeeds(), needs, fields === 'all' ? noNeeds() : needsOf(fields));
  const leftOf = (trace: TraceRows): number[] =>
    runPipeline(pipeline, trace, selection.hits).flatMap(({ spans }) => spans);
  for (const selected of selection.batches) {
    const { rows, source } = selected;
    const asked = await marksIn(selected, allNeeds, intervals, signal);
    if (asked === undefined) continue;
    const marks: Marks = { of: new Int32Array(rows.batch.rows).fill(-1), rows: undefined };
    for (const [i, number] of selected.traces.entries()) {
      if (i % BREATHE_EVERY === BREATHE_EVERY - 1) {
        await breathe();
        signal.throwIfAborted();
      }
      const trace = traceRowsOf(rows, number);
      if (!trace.rows.some((row) => (asked.of[row] as number) >= 0)) continue;
      // A span is in one set at most.
      for (const span of leftOf(trace)) marks.of[trace.row(span)] = asked.of[trace.row(span)] as number;
    }
    counting(source, () => counter.addRows(rows, marks));
  }
  await eachTrace(selection.merged, options, (trace) => {
    for (const span of leftOf(trace)) {
      const interval = intervalOf(trace.source(span).startOf(trace.row(span)), intervals);
      if (interval >= 0) counter.addSpan(trace, span, interval);
    }
  });
  return { spans: selection.spans, traces: selection.traces };
}

async function marksIn(
  { rows: { batch }, source }: SelectedBatch,
  needs: Needs,
  intervals: Intervals,
  signal: AbortSignal,
): Promise<Marks | undefined> {
  return atSource(source, signal, async () => {
    await batch.prepare(startNeeds(), signal);
    const marks = markIntervals(batch, intervals, undefined);
    if (marks !== undefined) await batch.prepare(needs, signal);
    return marks;
  });
}

function startNeeds(): Needs {
  const needs = noNeeds();
  needs.fields.add('start');
  return needs;
}

/** What fails, but for limits of the query, is the source. */
function counting(source: Source, count: () => void): void {
  try {
    count();
  } catch (error) {
    throw isKind(error, 'limited') ? error : failureOf(source.id, error);
  }
}

async function eachTrace(
  traces: readonly TraceRows[],
  { signal, breathe }: RunOptions,
  use: (trace: TraceRows) => void,
): Promise<void> {
  for (const [i, trace] of traces.entries()) {
    if (i % BREATHE_EVERY === BREATHE_EVERY - 1) {
      await breathe();
      signal.throwIfAborted();
    }
    use(trace);
  }
}
