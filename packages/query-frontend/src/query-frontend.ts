import type {
  MetricsOptions,
  MetricsPart,
  QueryEngine,
  SearchOptions,
  SearchPart,
  TagsAnswer,
  TagsOptions,
  TagValuesAnswer,
  TagValuesOptions,
  TimeRange,
} from '@vivace/api';
import { comesAfter, type QueryStats, type Question, type ResultOf, type TracePosition } from '@vivace/block-query';
import { type Clock, limitTime, type Service, VivaceError } from '@vivace/kernel';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { FairQueue } from './fair-queue.ts';
import type { QueryAnswer, Querying } from './querying.ts';

export interface QueryFrontendOptions {
  querier: Querying;
  clock: Clock;
  /** Queries evaluated at the same time; more wait for their turn. */
  maxRunning: number;
  /** Of each tenant. */
  maxWaiting: number;
  /** A query that takes longer is given up. */
  timeoutMs: number;
}

/** Plans queries, lets them run in turns of their tenants, and puts their answers together. */
export class QueryFrontend implements QueryEngine, Service {
  readonly #options: QueryFrontendOptions;
  readonly #queue: FairQueue;

  constructor(options: QueryFrontendOptions) {
    this.#options = options;
    this.#queue = new FairQueue(options);
  }

  /** Queries that are being evaluated. */
  get running(): number {
    return this.#queue.running;
  }

  /** Queries that wait for their turn. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async *search(tenant: string, options: SearchOptions): AsyncIterable<SearchPart> {
    const { query, startUnixNano, endUnixNano, limit, spansPerSpanset, written: form, signal } = options;
    const after = options.cursor === undefined ? undefined : decodeCursor(options.cursor);
    const request = { query, startUnixNano, endUnixNano, limit, spansPerSpanset, after, written: form };
    const { querier } = this.#options;
    let sent: TracePosition | undefined;
    for await (const answer of this.#running(tenant, signal, (both) =>
      querier.search(tenant, request, options, both),
    )) {
      const { traces, written, more, unsettled } = answer.result;
      const last = written?.last ?? traces.at(-1);
      yield {
        // By their order, not their number: a block that fails between two stages takes its traces away.
        traces: traces.filter((trace) => sent === undefined || comesAfter(trace, sent)),
        written,
        stats: statsOf(answer, unsettled),
        cursor: more && last !== undefined ? encodeCursor(last) : undefined,
        problems: answer.problems,
      };
      sent = last ?? sent;
    }
  }

  async *metrics(tenant: string, options: MetricsOptions): AsyncIterable<MetricsPart> {
    const { query, startUnixNano, endUnixNano, stepNanos, exemplars, maxSeries, signal } = options;
    const request = { query, startUnixNano, endUnixNano, stepNanos, exemplars, maxSeries };
    const answer = await this.#run(tenant, { kind: 'metrics', request }, options, signal);
    const { series, truncated } = answer.result;
    yield { series, truncated, stats: statsOf(answer), problems: answer.problems };
  }

  async tags(tenant: string, { scope, filter, limit, signal, ...range }: TagsOptions): Promise<TagsAnswer> {
    const answer = await this.#run(tenant, { kind: 'tags', request: { scope, filter, limit } }, range, signal);
    const { scopes, truncated } = answer.result;
    return { scopes, truncated, stats: statsOf(answer), problems: answer.problems };
  }

  async tagValues(
    tenant: string,
    { field, filter, limit, signal, ...range }: TagValuesOptions,
  ): Promise<TagValuesAnswer> {
    const answer = await this.#run(tenant, { kind: 'tagValues', request: { field, filter, limit } }, range, signal);
    const { values, truncated } = answer.result;
    return { values, truncated, stats: statsOf(answer), problems: answer.problems };
  }

  async #run<Asked extends Exclude<Question, { kind: 'search' }>>(
    tenant: string,
    question: Asked,
    range: TimeRange,
    signal: AbortSignal,
  ): Promise<QueryAnswer<ResultOf[Asked['kind']]>> {
    const { querier } = this.#options;
    for await (const answer of this.#running(tenant, signal, async function* (both) {
      yield await querier.query(tenant, question, range, both);
    })) {
      return answer;
    }
    throw new VivaceError('internal', 'query-answer', 'a query ended without an answer');
  }

  /** What a query yields, once it is its tenant's turn, and until its time is over. */
  async *#running<Part>(
    tenant: string,
    signal: AbortSignal,
    query: (signal: AbortSignal) => AsyncIterable<Part>,
  ): AsyncGenerator<Part> {
    const { clock, timeoutMs } = this.#options;
    const leave = await this.#queue.enter(tenant, signal);
    const late = () =>
      new VivaceError(
        'deadline',
        'query-timeout',
        `the query took longer than ${timeoutMs / 1000} s: ask for less time, or with more conditions`,
      );
    const limit = limitTime(clock, timeoutMs, late, signal);
    try {
      yield* query(limit.signal);
    } finally {
      limit.end();
      leave();
    }
  }
}

/** Of the jobs of a search that goes on one is left. */
function statsOf(
  { result, inspectedBytes, blocks, blockBytes }: QueryAnswer<{ inspectedSpans: number; inspectedTraces: number }>,
  unsettled = false,
): QueryStats {
  return {
    inspectedTraces: result.inspectedTraces,
    inspectedSpans: result.inspectedSpans,
    inspectedBytes,
    totalBlocks: blocks,
    totalBlockBytes: blockBytes,
    completedJobs: unsettled ? blocks : blocks + 1,
    totalJobs: blocks + 1,
  };
}
