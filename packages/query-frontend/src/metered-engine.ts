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
} from '@vivace/api';
import { type Clock, toVivaceError } from '@vivace/kernel';
import type { QueryKind, QueryMetrics } from './query-metrics.ts';

/** What metrics need of an answer, and of the part of one. */
type Measured = Pick<SearchPart, 'problems' | 'stats'>;

/**
 * The same engine with each query counted by its outcome: `ok`, `partial` where something could not be read, else the
 * kind of the error. Whoever leaves a stream before its end has canceled the query.
 */
export class MeteredEngine implements QueryEngine {
  readonly #engine: QueryEngine;
  readonly #metrics: QueryMetrics;
  readonly #clock: Pick<Clock, 'monotonicMs'>;

  constructor(engine: QueryEngine, { metrics, clock }: { metrics: QueryMetrics; clock: Pick<Clock, 'monotonicMs'> }) {
    this.#engine = engine;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  search(tenant: string, options: SearchOptions): AsyncIterable<SearchPart> {
    return this.#stream('search', () => this.#engine.search(tenant, options));
  }

  metrics(tenant: string, options: MetricsOptions): AsyncIterable<MetricsPart> {
    return this.#stream('metrics', () => this.#engine.metrics(tenant, options));
  }

  tags(tenant: string, options: TagsOptions): Promise<TagsAnswer> {
    return this.#one('tags', () => this.#engine.tags(tenant, options));
  }

  tagValues(tenant: string, options: TagValuesOptions): Promise<TagValuesAnswer> {
    return this.#one('values', () => this.#engine.tagValues(tenant, options));
  }

  async #one<Answer extends Measured>(kind: QueryKind, work: () => Promise<Answer>): Promise<Answer> {
    const startedMs = this.#clock.monotonicMs();
    let outcome = 'canceled';
    try {
      const answer = await work();
      outcome = outcomeOf(answer);
      this.#metrics.inspectedBytes.inc({ kind }, answer.stats.inspectedBytes);
      return answer;
    } catch (error) {
      outcome = toVivaceError(error).kind;
      throw error;
    } finally {
      this.#observe(kind, outcome, startedMs);
    }
  }

  async *#stream<Part extends Measured>(kind: QueryKind, work: () => AsyncIterable<Part>): AsyncIterable<Part> {
    const startedMs = this.#clock.monotonicMs();
    let last: Part | undefined;
    let outcome = 'canceled';
    try {
      for await (const part of work()) {
        last = part;
        yield part;
      }
      outcome = last === undefined ? 'ok' : outcomeOf(last);
    } catch (error) {
      outcome = toVivaceError(error).kind;
      throw error;
    } finally {
      // What was inspected is told with every part, from the beginning on.
      this.#metrics.inspectedBytes.inc({ kind }, last?.stats.inspectedBytes ?? 0);
      this.#observe(kind, outcome, startedMs);
    }
  }

  #observe(kind: QueryKind, outcome: string, startedMs: number): void {
    this.#metrics.seconds.observe({ kind, outcome }, (this.#clock.monotonicMs() - startedMs) / 1000);
  }
}

function outcomeOf({ problems }: Measured): string {
  return problems.length === 0 ? 'ok' : 'partial';
}
