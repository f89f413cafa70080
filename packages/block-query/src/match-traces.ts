import type { Query } from '@vivace/traceql';
import { traceRowsOf } from './column-flags.ts';
import { factNeeds, fieldsOfQuery, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { runPipeline } from './run-pipeline.ts';
import type { RunOptions } from './search.ts';
import { selectTraces } from './select-traces.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';

/**
 * Tells every trace that a query matches, judged whole over all sources: its id, once, in no particular order. Times of
 * the traces do not matter. Rejects with `SourceFailure` where a source cannot be read.
 */
export async function matchTraces(
  sources: readonly Source[],
  query: Query,
  { signal, breathe }: RunOptions,
  onTrace: (traceId: Uint8Array) => void,
): Promise<void> {
  const { pipeline } = query;
  const fields = fieldsOfQuery({ ...query, metrics: undefined });
  // Of one filter alone the selection is the answer, and nothing but ids is read of the traces.
  const [first] = pipeline.stages;
  const isSettled = pipeline.stages.length === 1 && first?.kind === 'filter';
  // Only what asks for parents can tell versions of a span apart by more than the span's own fields.
  const withFacts = !isSettled || needsOf(fields).fields.has('parentIds');
  const selection = await selectTraces(sources, { pipeline, fields, signal, breathe, withFacts });
  const ids = noNeeds();
  ids.fields.add('traceIds');
  const needs = isSettled ? ids : joinNeeds(factNeeds(), needsOf(fields));
  for (const { source, rows, traces } of selection.batches) {
    await atSource(source, signal, async () => {
      await rows.batch.prepare(needs, signal);
      for (const trace of traces) {
        const candidate = traceRowsOf(rows, trace);
        if (isSettled || runPipeline(pipeline, candidate, selection.hits).length > 0) onTrace(candidate.traceId());
      }
    });
    await breathe();
  }
  for (const merged of selection.merged) {
    if (runPipeline(pipeline, merged, selection.hits).length > 0) onTrace(merged.traceId());
  }
}
