import type { Field } from '@vivace/traceql';
import type { Needs } from './batch.ts';
import { BatchRows } from './batch-rows.ts';
import { fieldsIn } from './conjunction.ts';
import { type Filter, factNeeds, joinNeeds, needsOf } from './needs.ts';
import { mayHold } from './prune.ts';
import { findSeams, type TracePart } from './seams.ts';
import { mergeSeamed } from './select-traces.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { selectRows } from './span-scan.ts';
import type { TraceRows } from './trace-rows.ts';

export interface FindOptions {
  filter: Filter;
  /** Rows that are asked about have a mark that is not negative; undefined: none of the batch. It is written to. */
  marksOf: (rows: BatchRows) => Int32Array | undefined;
  /** What `marksOf` reads. */
  markNeeds: Needs;
  /** What is read of the spans that are found. */
  needs: Needs;
  /** Everything that the query reads of spans, see `mergeParts`. */
  fields: readonly Field[] | 'all';
  signal: AbortSignal;
  /** Waits until other work of the thread had its turn. */
  breathe: () => Promise<void>;
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
  sources: readonly Source[],
  { filter, marksOf, markNeeds, needs, fields, signal, breathe }: FindOptions,
  use: (source: Source, rows: BatchRows, marks: Int32Array) => void,
): Promise<FoundSpans> {
  const { expression } = filter;
  const scanNeeds = joinNeeds(markNeeds, needs, needsOf(expression === undefined ? [] : fieldsIn(expression)));
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
        const asked = marksOf(rows);
        if (asked === undefined) return undefined;
        await batch.prepare(scanNeeds, signal);
        const flags = seams.flags(source.id, place);
        if (flags !== undefined) {
          opened.set(`${source.id} ${place}`, rows);
          for (const trace of takeSeamed(rows, filter, flags, asked)) {
            seamed.push({ source: source.id, batch: place, trace });
          }
        }
        return hitsOf(rows, filter, asked);
      });
      if (marks !== undefined) use(source, rows, marks);
      await breathe();
    }
  }
  const partNeeds = joinNeeds(factNeeds(), scanNeeds);
  result.merged = await mergeSeamed(sources, seams, seamed, opened, partNeeds, { fields, signal });
  return result;
}

/** Takes the marks from all rows of seamed traces, and gives those traces of which a row had one and may fulfil the filter. */
function takeSeamed(rows: BatchRows, { expression }: Filter, flags: Uint8Array, marks: Int32Array): number[] {
  const asked: number[] = [];
  const first = rows.batch.traceFirst();
  const order = rows.batch.order();
  for (let trace = 0; trace < flags.length; trace++) {
    if (flags[trace] === 0) continue;
    for (let at = first[trace] as number; at < (first[trace + 1] as number); at++) {
      const row = order === undefined ? at : (order[at] as number);
      if ((marks[row] as number) >= 0) asked.push(row);
      marks[row] = -1;
    }
  }
  if (asked.length === 0) return [];
  const within = Int32Array.from(asked).sort();
  const traces = rows.traceOfRow();
  const found = new Set<number>();
  for (const row of selectRows(rows, expression, 'possible', within) ?? within) found.add(traces[row] as number);
  return [...found];
}

/** The marks of the rows that fulfil the filter; undefined where none is left. */
function hitsOf(rows: BatchRows, { expression }: Filter, marks: Int32Array): Int32Array | undefined {
  if (expression === undefined) return marks;
  const list = selectRows(rows, expression, 'exact');
  if (list === undefined) return marks;
  const hits = new Int32Array(marks.length).fill(-1);
  let found = false;
  for (let i = 0; i < list.length; i++) {
    const row = list[i] as number;
    const mark = marks[row] as number;
    hits[row] = mark;
    if (mark >= 0) found = true;
  }
  return found ? hits : undefined;
}
