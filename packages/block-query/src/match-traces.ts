import type { ColumnNeeds } from '@vivace/block';
import type { ColumnSetView } from '@vivace/columns';
import type { Pipeline, Query, SpansetExpression } from '@vivace/traceql';
import { traceRowsOf } from './column-flags.ts';
import { needsWholeTrace } from './conjunction.ts';
import { fieldsOfQuery, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { runPipeline } from './run-pipeline.ts';
import type { RunOptions } from './search.ts';
import { selectTraces } from './select-traces.ts';
import { headSource } from './source.ts';

/** Whole traces as columns, one after another: each span once, in canonical order, all alive. */
export interface TraceSet {
  set: ColumnSetView;
  /** First row of each trace, and at the end the number of rows. */
  traceFirst: Int32Array;
}

/** Columns that `matchTraces` looks at. */
export function matchNeeds(query: Query): ColumnNeeds {
  const { pipeline } = query;
  const parents = noNeeds();
  if (isStructural(pipeline)) parents.fields.add('parentIds');
  return joinNeeds(parents, needsOf(fieldsOfQuery({ ...query, metrics: undefined })));
}

/** Whether each span matches by itself: a trace matches where a part of it does. */
export function matchesParts(query: Query): boolean {
  return isOneFilter(query) && !fieldsOfQuery({ ...query, metrics: undefined }).some(needsWholeTrace);
}

/** Tells every trace of a set that a query matches, by its number, once. Times of the traces do not matter. */
export async function matchTraces(
  { set, traceFirst }: TraceSet,
  query: Query,
  { signal, breathe }: RunOptions,
  onTrace: (trace: number) => void,
): Promise<void> {
  const { pipeline } = query;
  const fields = fieldsOfQuery({ ...query, metrics: undefined });
  const source = headSource('traces', set, traceFirst);
  const selection = await selectTraces([source], { pipeline, fields, signal, breathe });
  // Of one filter alone the selection is the answer.
  const isSettled = isOneFilter(query);
  for (const { rows, traces } of selection.batches) {
    for (const trace of traces) {
      if (isSettled || runPipeline(pipeline, traceRowsOf(rows, trace), selection.hits).length > 0) onTrace(trace);
    }
  }
}

function isOneFilter({ pipeline: { stages } }: Query): boolean {
  return stages.length === 1 && stages[0]?.kind === 'filter';
}

/** Whether it asks how spans of a trace stand to one another. */
function isStructural({ stages }: Pipeline): boolean {
  return stages.some((stage) => {
    const { kind } = stage;
    return (kind === 'filter' || kind === 'spanset' || kind === 'pipeline') && isStructuralSpanset(stage);
  });
}

function isStructuralSpanset(spanset: SpansetExpression): boolean {
  switch (spanset.kind) {
    case 'filter':
      return false;
    case 'pipeline':
      return isStructural(spanset.pipeline);
    case 'spanset': {
      const { operator, left, right } = spanset;
      return (operator !== '&&' && operator !== '||') || isStructuralSpanset(left) || isStructuralSpanset(right);
    }
  }
}
