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
import type { QueryStats } from '@vivace/block-query';
import { type Clock, type Service, VivaceError } from '@vivace/kernel';
import type { Querier, QuerierAnswer, Question, ResultOf } from '@vivace/querier';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { FairQueue } from './fair-queue.ts';

export interface QueryFrontendOptions {
  querier: Pick<Querier, 'query'>;
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

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async *search(tenant: string, options: SearchOptions): AsyncIterable<SearchPart> {
    const { query, startUnixNano, endUnixNano, limit, spansPerSpanset, signal } = options;
    const after = options.cursor === undefined ? undefined : decodeCursor(options.cursor);
    const answer = await this.#run(
      tenant,
      { kind: 'search', request: { query, startUnixNano, endUnixNano, limit, spansPerSpanset, after } },
      options,
      signal,
    );
    const { traces, more } = answer.result;
    const last = traces.at(-1);
    yield {
      traces,
      stats: statsOf(answer),
      cursor: more && last !== undefined ? encodeCursor(last) : undefined,
      problems: answer.problems,
    };
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
    return { scopes: answer.result.scopes, stats: statsOf(answer), problems: answer.problems };
  }

  async tagValues(
    tenant: string,
    { field, filter, limit, signal, ...range }: TagValuesOptions,
  ): Promise<TagValuesAnswer> {
    const answer = await this.#run(tenant, { kind: 'tagValues', request: { field, filter, limit } }, range, signal);
    return { values: answer.result.values, stats: statsOf(answer), problems: answer.problems };
  }

  #run<Asked extends Question>(
    tenant: string,
    question: Asked,
    range: TimeRange,
    signal: AbortSignal,
  ): Promise<QuerierAnswer<ResultOf[Asked['kind']]>> {
    return this.#queue.run(
      tenant,
      async () => {
        const timeout = new AbortController();
        const { clock, timeoutMs, querier } = this.#options;
        const cancel = clock.after(timeoutMs, () =>
          timeout.abort(
            new VivaceError(
              'deadline',
              'query-timeout',
              `the query took longer than ${timeoutMs / 1000} s: ask for less time, or with more conditions`,
            ),
          ),
        );
        try {
          return await querier.query(tenant, question, range, AbortSignal.any([signal, timeout.signal]));
        } finally {
          cancel();
        }
      },
      signal,
    );
  }
}

function statsOf({
  result,
  inspectedBytes,
  blocks,
  blockBytes,
}: QuerierAnswer<{ inspectedSpans: number; inspectedTraces: number }>): QueryStats {
  return {
    inspectedTraces: result.inspectedTraces,
    inspectedSpans: result.inspectedSpans,
    inspectedBytes,
    totalBlocks: blocks,
    totalBlockBytes: blockBytes,
    completedJobs: blocks + 1,
    totalJobs: blocks + 1,
  };
}
