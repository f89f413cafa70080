import type { LabelledCounter } from '@vivace/receivers';
import type { Metrics } from '@vivace/telemetry';

/** What the distributor counts, over all tenants: a tenant is chosen by clients, so it is no label. */
export interface DistributorMetrics {
  /** Inflated bytes of requests, by what became of them: `accepted`, or the reason for refusing all of one. */
  bytes: LabelledCounter<'result'>;
  /** `accepted`, or `rejected` one by one. Of a request that is refused whole nobody has counted the spans. */
  spans: LabelledCounter<'result'>;
}

export function createDistributorMetrics(metrics: Metrics): DistributorMetrics {
  const bytes = metrics.counter({
    name: 'vivace_distributor_bytes_total',
    help: 'Inflated bytes of OTLP requests, by what became of them.',
    labels: ['result'],
  });
  const spans = metrics.counter({
    name: 'vivace_distributor_spans_total',
    help: 'Spans of OTLP requests, by what became of them.',
    labels: ['result'],
  });
  // From the start: a rate does not see a series that begins with its first span.
  bytes.inc({ result: 'accepted' }, 0);
  for (const result of ['accepted', 'rejected']) spans.inc({ result }, 0);
  return { bytes, spans };
}
