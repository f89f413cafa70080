import type { Counter, Histogram, Metrics } from '@vivace/telemetry';

/** `values` are those of one attribute, `tags` the names of attributes, `trace` a lookup by id. */
export type QueryKind = 'search' | 'metrics' | 'tags' | 'values' | 'trace';

export interface QueryMetrics {
  seconds: Histogram<'kind' | 'outcome'>;
  inspectedBytes: Counter<'kind'>;
}

/** Queries may take a minute. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Registers the metrics of queries; `queue` is read whenever somebody asks. */
export function createQueryMetrics(
  metrics: Metrics,
  queue: { readonly running: number; readonly waiting: number },
): QueryMetrics {
  metrics.gauge({
    name: 'vivace_query_running',
    help: 'Queries that are being evaluated.',
    collect: () => queue.running,
  });
  metrics.gauge({
    name: 'vivace_query_waiting',
    help: 'Queries that wait for their turn, over all tenants.',
    collect: () => queue.waiting,
  });
  return {
    seconds: metrics.histogram({
      name: 'vivace_query_duration_seconds',
      help: 'Time of queries from their plan to their whole answer, waiting included, by kind and outcome.',
      labels: ['kind', 'outcome'],
      buckets: BUCKETS_SECONDS,
    }),
    inspectedBytes: metrics.counter({
      name: 'vivace_query_inspected_bytes_total',
      help: 'Bytes that queries read from the store, by kind.',
      labels: ['kind'],
    }),
  };
}
