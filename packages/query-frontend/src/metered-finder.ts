import type { FindTraceOptions, TraceAnswer, TraceFinder } from '@vivace/api';
import { type Clock, toVivaceError } from '@vivace/kernel';
import type { QueryMetrics } from './query-metrics.ts';

/** The same finder with each lookup counted as a query of kind `trace`, by its outcome as other queries are. */
export class MeteredFinder implements TraceFinder {
  readonly #finder: TraceFinder;
  readonly #metrics: QueryMetrics;
  readonly #clock: Pick<Clock, 'monotonicMs'>;

  constructor(finder: TraceFinder, { metrics, clock }: { metrics: QueryMetrics; clock: Pick<Clock, 'monotonicMs'> }) {
    this.#finder = finder;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  async findTrace(tenant: string, traceId: Uint8Array, options: FindTraceOptions): Promise<TraceAnswer> {
    const startedMs = this.#clock.monotonicMs();
    let outcome = 'ok';
    try {
      const answer = await this.#finder.findTrace(tenant, traceId, options);
      if (!answer.complete) outcome = 'partial';
      this.#metrics.inspectedBytes.inc({ kind: 'trace' }, answer.inspectedBytes);
      return answer;
    } catch (error) {
      outcome = toVivaceError(error).kind;
      throw error;
    } finally {
      this.#metrics.seconds.observe({ kind: 'trace', outcome }, (this.#clock.monotonicMs() - startedMs) / 1000);
    }
  }
}
