import type { BlockReader } from '@vivace/block';
import { compareBytes } from '@vivace/kernel';
import { printQuery, type Query } from '@vivace/traceql';
import type { TraceMatch, TracePosition } from './answer.ts';
import { AnswerBudget } from './answer-budget.ts';
import type { BatchRows } from './batch-rows.ts';
import { type Candidate, CandidateQueue } from './candidate-queue.ts';
import { traceRowsOf } from './column-flags.ts';
import { factNeeds, fieldsOfQuery, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { NEWEST, type NewestOptions, newestStart } from './newest-traces.ts';
import type { LocateTraces } from './relevant-sources.ts';
import { runPipeline } from './run-pipeline.ts';
import { possibleSources, type SelectedBatch, selectTracesIn } from './select-traces.ts';
import { answerSpan, type ShownField, shownFields } from './shown-fields.ts';
import type { Source } from './source.ts';
import { atSource } from './source-failure.ts';
import { SparseQueries } from './sparse-queries.ts';
import type { TraceRows } from './trace-rows.ts';
import type { WrittenForm, WrittenTraces } from './written/written-traces.ts';

export interface SearchRequest {
  query: Query;
  /** Traces that end before it, or start after the other, are not in the answer; undefined: no bound. */
  startUnixNano: bigint | undefined;
  endUnixNano: bigint | undefined;
  limit: number;
  /** 0: all. */
  spansPerSpanset: number;
  /** Only traces that come after this one in the order of answers. */
  after: TracePosition | undefined;
  /** Who answers may give the traces as text in this form: see `SearchResult`. */
  written?: WrittenForm | undefined;
}

/** Blocks that a search has not looked at, because they are older. */
export interface UnreadBlocks {
  /** No span of theirs starts later. */
  maxEndUnixNano: bigint;
  /** Those of them that may have a part of a trace. */
  readersOf(traceId: Uint8Array): Promise<readonly Pick<BlockReader, 'id' | 'listsTrace'>[]>;
}

export interface SearchResult {
  /** The beginning of the answer: what was not read can change nothing before the last of them. */
  traces: TraceMatch[];
  /** In place of `traces`, where that was asked for and could be done. */
  written?: WrittenTraces | undefined;
  /** There may be more after the last trace. */
  more: boolean;
  /** What was not read may have what comes next: the page is not full. */
  unsettled: boolean;
  inspectedSpans: number;
  inspectedTraces: number;
}

export interface RunOptions {
  signal: AbortSignal;
  /** Waits until other work of the thread had its turn. */
  breathe: () => Promise<void>;
  /** Undefined: every source is asked. */
  locate?: LocateTraces | undefined;
  /** Default `NEWEST`. */
  newest?: NewestOptions;
}

/**
 * Runs a search over the sources of a snapshot, all or the newest of them. A trace comes before all of the unread ones
 * if it starts after their last span and has no part among them. Rejects with `SourceFailure` where a source cannot be
 * read.
 */
export async function search(
  all: readonly Source[],
  request: SearchRequest,
  options: RunOptions,
  unread?: UnreadBlocks,
): Promise<SearchResult> {
  const { pipeline } = request.query;
  const { signal, newest = NEWEST } = options;
  const sources = await possibleSources(all, { pipeline, ...options });
  const text = printQuery(request.query);
  // What is in few blocks is in few traces.
  const isSparse = sources.length < all.length || sparse.has(text);
  const since = isSparse ? undefined : await newestStart(sources, request, newest, signal);
  if (since !== undefined) {
    const { result, isFinal } = await searchSince(sources, request, options, unread, since);
    if (isFinal) return result;
    sparse.add(text);
  }
  return (await searchSince(sources, request, options, unread, undefined)).result;
}

const sparse = new SparseQueries();

/** A search among the traces that start at a time or later; it is final where it is what a search among all gives. */
async function searchSince(
  sources: readonly Source[],
  request: SearchRequest,
  { signal, breathe }: RunOptions,
  unread: UnreadBlocks | undefined,
  since: bigint | undefined,
): Promise<{ result: SearchResult; isFinal: boolean }> {
  const { query } = request;
  const fields = fieldsOfQuery({ ...query, metrics: undefined });
  const { pipeline } = query;
  const selection = await selectTracesIn(sources, { pipeline, fields, signal, breathe, since });
  const needs = joinNeeds(factNeeds(), needsOf(fields));
  const shown = shownFields(query);
  const starts = noNeeds();
  starts.fields.add('start').add('traceIds');
  for (const { rows, source } of selection.batches) {
    await atSource(source, signal, () => rows.batch.prepare(starts, signal));
  }
  const queue = new CandidateQueue(selection.batches, selection.merged);
  const result: SearchResult = {
    traces: [],
    more: false,
    unsettled: unread !== undefined,
    inspectedSpans: selection.spans,
    inspectedTraces: selection.traces,
  };
  const budget = new AnswerBudget();
  const ready = new Set<BatchRows>();
  const rowsOf = async ({ trace, batch, merged }: Candidate): Promise<TraceRows> => {
    if (merged !== undefined) return merged;
    const { rows, source } = batch as SelectedBatch;
    if (!ready.has(rows)) await atSource(source, signal, () => rows.batch.prepare(needs, signal));
    ready.add(rows);
    return traceRowsOf(rows, trace);
  };
  let sinceBreath = 0;
  for (let candidate = queue.take(); candidate !== undefined; candidate = queue.take()) {
    if (++sinceBreath % BREATHE_EVERY === 0) await breathe();
    signal.throwIfAborted();
    const trace = await rowsOf(candidate);
    const startUnixNano = trace.start();
    // Others that start as early were not looked at.
    if (since !== undefined && startUnixNano < since) return { result, isFinal: false };
    if (unread !== undefined && startUnixNano <= unread.maxEndUnixNano) return { result, isFinal: true };
    if (request.endUnixNano !== undefined && startUnixNano > request.endUnixNano) continue;
    if (request.startUnixNano !== undefined && trace.end() < request.startUnixNano) continue;
    const { after } = request;
    if (after !== undefined && !comesAfter({ startUnixNano, traceId: trace.traceId() }, after)) continue;
    const match = matchOf(trace, request, selection.hits, shown, budget);
    if (match === undefined) continue;
    if (unread !== undefined && (await isListed(trace.traceId(), unread, signal))) return { result, isFinal: true };
    if (result.traces.length === request.limit || !budget.take(match)) {
      return { result: { ...result, more: true, unsettled: false }, isFinal: true };
    }
    result.traces.push(match);
  }
  return { result, isFinal: since === undefined };
}

async function isListed(traceId: Uint8Array, unread: UnreadBlocks, signal: AbortSignal): Promise<boolean> {
  for (const reader of await unread.readersOf(traceId)) {
    if (await atSource(reader, signal, () => reader.listsTrace(traceId, { signal }))) return true;
  }
  return false;
}

/** Traces looked at between two breaths. */
const BREATHE_EVERY = 500;

/** Whether a trace comes later in the order of answers. */
export function comesAfter(trace: TracePosition, other: TracePosition): boolean {
  if (trace.startUnixNano !== other.startUnixNano) return trace.startUnixNano < other.startUnixNano;
  return compareBytes(trace.traceId, other.traceId) > 0;
}

function matchOf(
  trace: TraceRows,
  { query, spansPerSpanset }: SearchRequest,
  hits: Parameters<typeof runPipeline>[2],
  shown: readonly ShownField[],
  budget: AnswerBudget,
): TraceMatch | undefined {
  const spansets = runPipeline(query.pipeline, trace, hits);
  if (spansets.length === 0) return undefined;
  const root = trace.root();
  const services: TraceMatch['services'] = new Map();
  for (let span = 0; span < trace.count; span++) {
    const source = trace.source(span);
    const service = source.service(trace.row(span));
    let counts = services.get(service);
    if (counts === undefined) services.set(service, (counts = { spanCount: 0, errorCount: 0 }));
    counts.spanCount++;
    if (source.statusOf(trace.row(span)) === STATUS_ERROR) counts.errorCount++;
  }
  const most = spansPerSpanset === 0 ? undefined : spansPerSpanset;
  const listed = spansets.reduce((sum, { spans }) => sum + Math.min(spans.length, most ?? spans.length), 0);
  budget.check(listed, shown.length);
  return {
    traceId: trace.traceId(),
    root:
      root < 0
        ? undefined
        : { service: trace.source(root).service(trace.row(root)), name: trace.source(root).nameOf(trace.row(root)) },
    startUnixNano: trace.start(),
    durationNanos: trace.end() - trace.start(),
    services,
    spansets: spansets.map(({ spans, attributes }) => ({
      spans: spans.slice(0, most).map((span) => answerSpan(trace, span, shown)),
      matched: spans.length,
      attributes,
    })),
  };
}

const STATUS_ERROR = 2;
