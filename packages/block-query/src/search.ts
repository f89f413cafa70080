import { compareBytes } from '@vivace/kernel';
import type { Query } from '@vivace/traceql';
import type { TraceMatch } from './answer.ts';
import type { Needs } from './batch.ts';
import type { BatchRows } from './batch-rows.ts';
import { traceRowsOf } from './column-flags.ts';
import { factNeeds, fieldsOfQuery, joinNeeds, needsOf, noNeeds } from './needs.ts';
import { runPipeline } from './run-pipeline.ts';
import { type SelectedBatch, SourceFailure, selectTraces } from './select-traces.ts';
import { answerSpan, type ShownField, shownFields } from './shown-fields.ts';
import type { Source } from './source.ts';
import type { TraceRows } from './trace-rows.ts';

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
}

/** The order of answers: newest start first, then the smaller id. */
export interface TracePosition {
  startUnixNano: bigint;
  traceId: Uint8Array;
}

export interface SearchResult {
  traces: TraceMatch[];
  /** There may be more after the last trace. */
  more: boolean;
  inspectedSpans: number;
  inspectedTraces: number;
}

export interface RunOptions {
  signal: AbortSignal;
  /** Waits until other work of the thread had its turn. */
  breathe: () => Promise<void>;
}

/** Runs a search over all sources of a snapshot. Rejects with `SourceFailure` where one of them cannot be read. */
export async function search(
  sources: readonly Source[],
  request: SearchRequest,
  { signal, breathe }: RunOptions,
): Promise<SearchResult> {
  const { query } = request;
  const fields = fieldsOfQuery({ ...query, metrics: undefined });
  const { pipeline } = query;
  const selection = await selectTraces(sources, { pipeline, fields, signal, breathe });
  const needs = joinNeeds(factNeeds(), needsOf(fields));
  const shown = shownFields(query);
  const queue = await queueOf(selection.batches, selection.merged, signal);
  const result: SearchResult = {
    traces: [],
    more: false,
    inspectedSpans: selection.spans,
    inspectedTraces: selection.traces,
  };
  const ready = new Set<BatchRows>();
  const rowsOf = async ({ trace, batch, merged }: Candidate): Promise<TraceRows> => {
    if (merged !== undefined) return merged;
    const { rows, source } = batch as SelectedBatch;
    await prepareOnce(ready, rows, needs, source, signal);
    return traceRowsOf(rows, trace);
  };
  let sinceBreath = 0;
  for (let candidate = queue.take(); candidate !== undefined; candidate = queue.take()) {
    if (++sinceBreath % BREATHE_EVERY === 0) await breathe();
    signal.throwIfAborted();
    const trace = await rowsOf(candidate);
    const startUnixNano = trace.start();
    if (request.endUnixNano !== undefined && startUnixNano > request.endUnixNano) continue;
    if (request.startUnixNano !== undefined && trace.end() < request.startUnixNano) continue;
    if (request.after !== undefined && !isAfter(trace, request.after)) continue;
    const match = matchOf(trace, query, selection.hits, shown, request.spansPerSpanset);
    if (match === undefined) continue;
    if (result.traces.length === request.limit) {
      result.more = true;
      break;
    }
    result.traces.push(match);
  }
  return result;
}

/** Traces looked at between two breaths. */
const BREATHE_EVERY = 500;

async function prepareOnce(
  ready: Set<BatchRows>,
  rows: BatchRows,
  needs: Needs,
  source: Source,
  signal: AbortSignal,
): Promise<void> {
  if (ready.has(rows)) return;
  try {
    await rows.batch.prepare(needs, signal);
  } catch (error) {
    throw signal.aborted ? error : new SourceFailure(source.id, error);
  }
  ready.add(rows);
}

function isAfter(trace: TraceRows, { startUnixNano, traceId }: TracePosition): boolean {
  const start = trace.start();
  return start < startUnixNano || (start === startUnixNano && compareBytes(trace.traceId(), traceId) > 0);
}

function matchOf(
  trace: TraceRows,
  query: Query,
  hits: Parameters<typeof runPipeline>[2],
  shown: readonly ShownField[],
  spansPerSpanset: number,
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
    if (source.batch.status()[trace.row(span)] === STATUS_ERROR) counts.errorCount++;
  }
  const most = spansPerSpanset === 0 ? undefined : spansPerSpanset;
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

/** A trace that may match: of one batch, or merged of several. */
interface Candidate {
  batch: SelectedBatch | undefined;
  trace: number;
  merged: TraceRows | undefined;
}

/** Candidates in the order of answers. */
interface CandidateQueue {
  take(): Candidate | undefined;
}

/** A heap, because most searches take few of many. */
async function queueOf(
  batches: readonly SelectedBatch[],
  merged: readonly TraceRows[],
  signal: AbortSignal,
): Promise<CandidateQueue> {
  const total = batches.reduce((sum, { traces }) => sum + traces.length, merged.length);
  const batchOf = new Int32Array(total);
  const traceOf = new Int32Array(total);
  const low = new Uint32Array(total);
  const high = new Uint32Array(total);
  const starts = noNeeds();
  starts.fields.add('start').add('traceIds');
  let next = 0;
  for (const [number, { rows, traces }] of batches.entries()) {
    const { batch } = rows;
    await batch.prepare(starts, signal);
    const first = batch.traceFirst();
    const order = batch.order();
    const start = batch.start();
    for (const trace of traces) {
      const at = first[trace] as number;
      const row = order === undefined ? at : (order[at] as number);
      batchOf[next] = number;
      traceOf[next] = trace;
      low[next] = start[2 * row] as number;
      high[next] = start[2 * row + 1] as number;
      next++;
    }
  }
  for (const [number, trace] of merged.entries()) {
    const start = trace.start();
    batchOf[next] = -1;
    traceOf[next] = number;
    low[next] = Number(start & 0xffffffffn);
    high[next] = Number(start >> 32n);
    next++;
  }
  const idOf = (candidate: number): Uint8Array => {
    const trace = traceOf[candidate] as number;
    const batch = batches[batchOf[candidate] as number];
    return batch === undefined
      ? (merged[trace] as TraceRows).traceId()
      : batch.rows.batch.traceIds().subarray(16 * trace, 16 * trace + 16);
  };
  const before = (a: number, b: number): boolean => {
    const difference = (high[b] as number) - (high[a] as number) || (low[b] as number) - (low[a] as number);
    return difference !== 0 ? difference < 0 : compareBytes(idOf(a), idOf(b)) < 0;
  };
  const heap = Int32Array.from({ length: total }, (_, i) => i);
  const sink = (from: number, size: number): void => {
    let at = from;
    const item = heap[at] as number;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1] as number, heap[child] as number)) child++;
      if (!before(heap[child] as number, item)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = item;
  };
  for (let at = (total >> 1) - 1; at >= 0; at--) sink(at, total);
  let size = total;
  return {
    take: () => {
      if (size === 0) return undefined;
      const top = heap[0] as number;
      size--;
      heap[0] = heap[size] as number;
      if (size > 0) sink(0, size);
      const batch = batches[batchOf[top] as number];
      const trace = traceOf[top] as number;
      return { batch, trace, merged: batch === undefined ? merged[trace] : undefined };
    },
  };
}
