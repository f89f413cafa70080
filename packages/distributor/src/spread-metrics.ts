import type { LabelledCounter } from '@vivace/receivers';
import type { Metrics } from '@vivace/telemetry';

/** What is counted of calls to ingesters, over all of them: who fails is told by the log. */
export interface SpreadMetrics {
  /** By `ok` or why a call failed. */
  calls: LabelledCounter<'result'>;
  bytes: LabelledCounter<'result'>;
  /** Slices that another ingester was asked to take. */
  movedSlices: { inc(): void };
}

export function createSpreadMetrics(metrics: Metrics): SpreadMetrics {
  return {
    calls: metrics.counter({
      name: 'vivace_distributor_ingester_calls_total',
      help: 'Calls to ingesters, by what became of them.',
      labels: ['result'],
    }),
    bytes: metrics.counter({
      name: 'vivace_distributor_ingester_bytes_total',
      help: 'Bytes of spans in calls to ingesters, by what became of the call.',
      labels: ['result'],
    }),
    movedSlices: metrics.counter({
      name: 'vivace_distributor_moved_slices_total',
      help: 'Parts of requests that one ingester could not take and another was asked to.',
    }),
  };
}
