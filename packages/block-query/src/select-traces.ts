import { compareBytes } from '@vivace/kernel';
import type { Field, Pipeline, SpansetExpression, Stage } from '@vivace/traceql';
import type { Needs } from './batch.ts';
import { BatchRows } from './batch-rows.ts';
import { fieldsIn } from './conjunction.ts';
import { holdsOf } from './evaluate.ts';
import { mergeParts, type Part } from './merge-parts.ts';
import { type Filter, factNeeds, filtersOf, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { windowOf } from './newest-traces.ts';
import { mayHold } from './prune.ts';
import { type LocateTraces, relevantSources } from './relevant-sources.ts';
import { maskOf, type RowList } from './row-list.ts';
import type { Hits } from './run-pipeline.ts';
import { findSeams, type Seams, type TracePart } from './seams.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { selectRows } from './span-scan.ts';
import type { TraceRows } from './trace-rows.ts';

export interface SelectOptions {
  pipeline: Pipeline;
  /** Everything that the query reads of spans, see `mergeParts`. */
  fields: readonly Field[] | 'all';
  signal: AbortSignal;
  /** Waits until other work of the thread had its turn. */
  breathe: () => Promise<void>;
  /** What is read of traces of which several sources have spans, besides facts and fields. */
  needs?: Needs;
  locate?: LocateTraces | undefined;
  /** Only traces of which some part starts then or later are looked at; starts have been prepared. */
  since?: bigint | undefined;
}

/** Traces that may match, and what is known of them. */
export interface Selection {
  batches: SelectedBatch[];
  /** Traces of which several sources have spans, each once. */
  merged: TraceRows[];
  hits: Hits;
  /** Of what was looked at. */
  spans: number;
  traces: number;
}

export interface SelectedBatch {
  source: Source;
  rows: BatchRows;
  /** Traces that may match and are whole in this batch. */
  traces: Int32Array;
  /** Filter → the rows for which it holds. */
  hits: ReadonlyMap<Filter, RowList>;
}

/** The sources that a pipeline may find something in. Rejects with `SourceFailure` where one cannot be read. */
export async function possibleSources(
  all: readonly Source[],
  { pipeline, ...options }: Pick<SelectOptions, 'pipeline' | 'signal' | 'locate'>,
): Promise<readonly Source[]> {
  return everyTracePossible(pipeline) ? all : relevantSources(all, filtersOf(pipeline), options);
}

/** Scans all filters of a pipeline over all sources. Rejects with `SourceFailure` where a source cannot be read. */
export async function selectTraces(all: readonly Source[], options: SelectOptions): Promise<Selection> {
  return selectTracesIn(await possibleSources(all, options), options);
}

/** The same over what `possibleSources` gave. */
export async function selectTracesIn(sources: readonly Source[], options: SelectOptions): Promise<Selection> {
  const { pipeline, fields, signal, breathe, since } = options;
  const filters = filtersOf(pipeline);
  const scanNeeds = needsOf(filters.flatMap(fieldsOfFilter));
  const seams = await findSeams(sources, signal);
  const selection: Selection = { batches: [], merged: [], hits: () => false, spans: 0, traces: 0 };
  const byRows = new Map<BatchRows, SelectedBatch>();
  const opened = new Map<string, BatchRows>();
  const seamed: TracePart[] = [];
  for (const source of sources) {
    await atSource(source, signal, async () => {
      const possible = new Map<Filter, boolean>();
      for (const filter of filters) possible.set(filter, await mayHold(source, filter.expression, signal));
      const hopeless = filters.length > 0 && [...possible.values()].every((one) => !one);
      for (const [place, batch] of (await source.batches(signal)).entries()) {
        signal.throwIfAborted();
        selection.spans += batch.rows;
        selection.traces += batch.traceCount;
        if (hopeless && !everyTracePossible(pipeline)) continue;
        const window = since === undefined ? undefined : windowOf(source, batch, since);
        if (window?.rows.length === 0) continue;
        await batch.prepare(scanNeeds, signal);
        const rows = new BatchRows(batch);
        opened.set(`${source.id} ${place}`, rows);
        const flags = seams.flags(source.id, place);
        const hits = new Map<Filter, RowList>();
        const traceHits = new Map<Filter, Uint8Array>();
        for (const filter of filters) {
          const found =
            possible.get(filter) === true ? selectRows(rows, filter.expression, 'exact', window?.rows) : NO_ROWS;
          hits.set(filter, found);
          traceHits.set(filter, tracesWith(rows, found));
        }
        const possibly = possibleTraces(pipeline, traceHits, batch.traceCount);
        const candidates = window === undefined ? possibly : both(possibly, window.flags);
        if (flags !== undefined) {
          for (const trace of seamedCandidates(rows, filters, window === undefined ? flags : both(flags, window.flags)))
            seamed.push({ source: source.id, batch: place, trace });
          for (let trace = 0; trace < candidates.length; trace++) if (flags[trace] === 1) candidates[trace] = 0;
        }
        const traces = numbersIn(candidates);
        if (traces.length > 0) {
          const selected: SelectedBatch = { source, rows, traces, hits };
          selection.batches.push(selected);
          byRows.set(rows, selected);
        }
        await breathe();
      }
    });
  }
  selection.merged = await mergeSeamed(
    sources,
    seams,
    seamed,
    opened,
    joinNeeds(factNeeds(), fields === 'all' ? noNeeds() : needsOf(fields), options.needs ?? noNeeds()),
    options,
  );
  const merged = new Set(selection.merged);
  const masks = new HitMasks(byRows);
  selection.hits = (filter, trace, span) => {
    if (merged.size > 0 && merged.has(trace))
      return filter.expression === undefined || holdsOf(filter.expression, trace, span);
    return masks.of(trace.source(span), filter)[trace.row(span)] === 1;
  };
  return selection;
}

const NO_ROWS = new Int32Array(0);

function fieldsOfFilter({ expression }: Filter): Field[] {
  return expression === undefined ? [] : fieldsIn(expression);
}

/** Seamed traces of a batch of which a row may match a filter, whatever the other sources have. */
function seamedCandidates(rows: BatchRows, filters: readonly Filter[], flags: Uint8Array): number[] {
  const found = new Uint8Array(flags.length);
  const within = rowsOf(rows, flags);
  for (const { expression } of filters) {
    const traces = tracesWith(rows, selectRows(rows, expression, 'possible', within));
    for (let trace = 0; trace < flags.length; trace++) if (flags[trace] === 1 && traces[trace] === 1) found[trace] = 1;
  }
  if (filters.length === 0) found.set(flags);
  return [...numbersIn(found)];
}

/** Merges each seamed trace that was found in any source from all of its parts. */
export async function mergeSeamed(
  sources: readonly Source[],
  seams: Seams,
  found: readonly TracePart[],
  opened: Map<string, BatchRows>,
  needs: Needs,
  { fields, signal }: Pick<SelectOptions, 'fields' | 'signal'>,
): Promise<TraceRows[]> {
  const merged: TraceRows[] = [];
  const done = new Set<string>();
  const byId = new Map(sources.map((source) => [source.id, source]));
  for (const one of found) {
    const parts: { id: Uint8Array; part: Part }[] = [];
    if (done.has(`${one.source} ${one.batch} ${one.trace}`)) continue;
    for (const place of seams.parts(one)) {
      done.add(`${place.source} ${place.batch} ${place.trace}`);
      const from = byId.get(place.source) as Source;
      await atSource(from, signal, async () => {
        const batch = (await from.batches(signal))[place.batch];
        if (batch === undefined) return;
        await batch.prepare(needs, signal);
        let rows = opened.get(`${place.source} ${place.batch}`);
        if (rows === undefined) opened.set(`${place.source} ${place.batch}`, (rows = new BatchRows(batch)));
        const id = batch.traceIds().slice(16 * place.trace, 16 * place.trace + 16);
        const encode = () => atSource(from, signal, () => from.encodeTrace(id, signal));
        parts.push({ id, part: { rows, trace: place.trace, encode } });
      });
    }
    // Eight bytes in common do not make one trace.
    for (const id of distinct(parts.map((part) => part.id))) {
      const own = parts.filter((part) => compareBytes(part.id, id) === 0).map(({ part }) => part);
      const rows = await mergeParts(id, own, fields);
      if (rows.count > 0) merged.push(rows);
    }
  }
  return merged;
}

function distinct(ids: readonly Uint8Array[]): Uint8Array[] {
  return ids.filter((id, i) => ids.findIndex((other) => compareBytes(other, id) === 0) === i);
}

/** Rows of the traces that are flagged, ascending. */
export function rowsOf({ batch }: BatchRows, flags: Uint8Array): Int32Array {
  const first = batch.traceFirst();
  const order = batch.order();
  const rows: number[] = [];
  for (let trace = 0; trace < flags.length; trace++) {
    if (flags[trace] !== 1) continue;
    for (let at = first[trace] as number; at < (first[trace + 1] as number); at++) {
      rows.push(order === undefined ? at : (order[at] as number));
    }
  }
  return Int32Array.from(rows).sort();
}

/** One byte a trace: whether it has one of the rows. */
function tracesWith(source: BatchRows, rows: RowList): Uint8Array {
  const { batch } = source;
  const traces = new Uint8Array(batch.traceCount);
  const first = batch.traceFirst();
  if (rows === undefined) {
    for (let trace = 0; trace < traces.length; trace++) traces[trace] = first[trace] === first[trace + 1] ? 0 : 1;
  } else if (batch.order() === undefined) {
    let trace = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      while ((first[trace + 1] as number) <= row) trace++;
      traces[trace] = 1;
    }
  } else {
    const traceOf = source.traceOfRow();
    for (let i = 0; i < rows.length; i++) {
      const trace = traceOf[rows[i] as number] as number;
      if (trace >= 0) traces[trace] = 1;
    }
  }
  return traces;
}

/** Hits of a batch as one byte a row, made when the first trace of the batch is looked at. */
class HitMasks {
  readonly #batches: ReadonlyMap<BatchRows, SelectedBatch>;
  readonly #masks = new Map<BatchRows, Map<Filter, Uint8Array<ArrayBuffer>>>();
  // Asked for of one span after another.
  #lastRows: BatchRows | undefined;
  #lastFilter: Filter | undefined;
  #lastMask = new Uint8Array(0);

  constructor(batches: ReadonlyMap<BatchRows, SelectedBatch>) {
    this.#batches = batches;
  }

  of(rows: BatchRows, filter: Filter): Uint8Array {
    if (rows !== this.#lastRows || filter !== this.#lastFilter) {
      this.#lastMask = this.#maskOf(rows, filter);
      this.#lastRows = rows;
      this.#lastFilter = filter;
    }
    return this.#lastMask;
  }

  #maskOf(rows: BatchRows, filter: Filter): Uint8Array<ArrayBuffer> {
    let masks = this.#masks.get(rows);
    if (masks === undefined) this.#masks.set(rows, (masks = new Map()));
    let mask = masks.get(filter);
    if (mask === undefined) {
      const hits = this.#batches.get(rows)?.hits;
      mask = maskOf(hits?.has(filter) ? hits.get(filter) : NO_ROWS, rows.batch.rows);
      masks.set(filter, mask);
    }
    return mask;
  }
}

/** Whether traces without any span that fulfils a filter can match. */
function everyTracePossible({ stages: [first] }: Pipeline): boolean {
  return first !== undefined && !isSpanset(first);
}

function isSpanset(stage: Stage): stage is SpansetExpression {
  return stage.kind === 'filter' || stage.kind === 'spanset' || stage.kind === 'pipeline';
}

/** One byte a trace: whether a pipeline may leave something of it, by which filters it has hits of. */
function possibleTraces(pipeline: Pipeline, hits: ReadonlyMap<Filter, Uint8Array>, count: number): Uint8Array {
  let possible: Uint8Array | undefined;
  for (const stage of pipeline.stages) {
    if (!isSpanset(stage)) continue;
    const more = possibleFor(stage, hits, count);
    possible = possible === undefined ? more.slice() : both(possible, more);
  }
  return possible ?? new Uint8Array(count).fill(1);
}

function possibleFor(spanset: SpansetExpression, hits: ReadonlyMap<Filter, Uint8Array>, count: number): Uint8Array {
  switch (spanset.kind) {
    case 'filter':
      return hits.get(spanset) as Uint8Array;
    case 'pipeline':
      return possibleTraces(spanset.pipeline, hits, count);
    case 'spanset': {
      const left = possibleFor(spanset.left, hits, count);
      const right = possibleFor(spanset.right, hits, count);
      if (spanset.operator === '||') return left.map((one, trace) => one | (right[trace] as number));
      return spanset.operator.startsWith('!') ? right.slice() : both(left, right);
    }
  }
}

function both(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((one, trace) => one & (right[trace] as number));
}

function numbersIn(flags: Uint8Array): Int32Array {
  let count = 0;
  for (let i = 0; i < flags.length; i++) count += flags[i] as number;
  const numbers = new Int32Array(count);
  let next = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] === 1) numbers[next++] = i;
  return numbers;
}
