import type { Field } from '@vivace/traceql';
import type { Batch, Needs } from './batch.ts';
import { BatchRows } from './batch-rows.ts';
import { fieldsIn } from './conjunction.ts';
import type { Marks } from './metrics/intervals.ts';
import { type Filter, factNeeds, joinNeeds, needsOf } from './needs.ts';
import { mayHold } from './prune.ts';
import { type LocateTraces, relevantSources } from './relevant-sources.ts';
import { type RowList, without } from './row-list.ts';
import { findSeams, type TracePart } from './seams.ts';
import { mergeSeamed, rowsOf } from './select-traces.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { selectRows } from './span-scan.ts';
import type { TraceRows } from './trace-rows.ts';

export interface FindOptions {
  filter: Filter;
  /** False: no row of the batch is asked about. */
  isAsked: (batch: Batch, source: Source) => boolean;
  /** Of rows of a list that may fulfil the filter, those that are asked about: they are marked. Undefined: none. */
  marksOf: (batch: Batch, list: RowList) => Marks | undefined;
  /** What both read. */
  markNeeds: Needs;
  /** What is read of the spans that are found. */
  needs: Needs;
  /** Everything that the query reads of spans, see `mergeParts`. */
  fields: readonly Field[] | 'all';
  signal: AbortSignal;
  /** Waits until other work of the thread had its turn. */
  breathe: () => Promise<void>;
  locate?: LocateTraces | undefined;
}

export interface FoundSpans {
  /** Traces of which several sources have spans, with one that may be asked about and fulfil the filter. */
  merged: TraceRows[];
  /** Of what was looked at. */
  spans: number;
  traces: number;
}

/**
 * Finds the spans that one filter holds of, batch by batch, and looks at no traces but those that lie in several
 * sources: for queries in which spans count by themselves. `use` takes the rows of a batch: those whose marks are not
 * negative. Rejects with `SourceFailure` where a source cannot be read, also by `use`.
 */
export async function findSpans(
  all: readonly Source[],
  { filter, isAsked, marksOf, markNeeds, needs, fields, signal, breathe, locate }: FindOptions,
  use: (source: Source, rows: BatchRows, marks: Marks) => void,
): Promise<FoundSpans> {
  const { expression } = filter;
  const scanNeeds = joinNeeds(markNeeds, needs, needsOf(expression === undefined ? [] : fieldsIn(expression)));
  const sources = await relevantSources(all, [filter], { signal, locate });
  const seams = await findSeams(sources, signal);
  const opened = new Map<string, BatchRows>();
  const seamed: TracePart[] = [];
  const result: FoundSpans = { merged: [], spans: 0, traces: 0 };
  for (const source of sources) {
    const hopeless = await atSource(source, signal, async () => !(await mayHold(source, expression, signal)));
    for (const [place, batch] of (await atSource(source, signal, () => source.batches(signal))).entries()) {
      signal.throwIfAborted();
      result.spans += batch.rows;
      result.traces += batch.traceCount;
      if (hopeless) continue;
      const rows = new BatchRows(batch);
      const marks = await atSource(source, signal, async () => {
        await batch.prepare(markNeeds, signal);
        if (!isAsked(batch, source)) return undefined;
        await batch.prepare(scanNeeds, signal);
        const flags = seams.flags(source.id, place);
        let within: RowList;
        if (flags !== undefined) {
          opened.set(`${source.id} ${place}`, rows);
          const inParts = rowsOf(rows, flags);
          for (const trace of askedTraces(rows, filter, marksOf(batch, inParts), inParts)) {
            seamed.push({ source: source.id, batch: place, trace });
          }
          within = without(undefined, inParts, batch.rows);
        }
        return marksOf(batch, selectRows(rows, expression, 'exact', within));
      });
      if (marks !== undefined) use(source, rows, marks);
      await breathe();
    }
  }
  const partNeeds = joinNeeds(factNeeds(), scanNeeds);
  result.merged = await mergeSeamed(sources, seams, seamed, opened, partNeeds, { fields, signal });
  return result;
}

/** Of traces that lie in several sources those of which a row is asked about and may fulfil the filter. */
function askedTraces(
  rows: BatchRows,
  { expression }: Filter,
  marks: Marks | undefined,
  inParts: Int32Array,
): Set<number> {
  const found = new Set<number>();
  if (marks === undefined) return found;
  const asked = inParts.filter((row) => (marks.of[row] as number) >= 0);
  const traces = rows.traceOfRow();
  for (const row of selectRows(rows, expression, 'possible', asked) ?? asked) found.add(traces[row] as number);
  return found;
}
