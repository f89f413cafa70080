import type { Metrics } from '@vivace/telemetry';

/** A counter as prom-client has it. */
export interface LabelledCounter<Label extends string> {
  inc(labels: Record<Label, string>, value?: number): void;
}

/** What the receivers count. `transport` is `http` or `grpc`; `status` is the code answered. */
export interface ReceiverMetrics {
  requests: LabelledCounter<'transport' | 'status'>;
  /** Bytes of request bodies: as they came over HTTP, inflated over gRPC, whose library inflates. */
  receivedBytes: LabelledCounter<'transport'>;
  /** From the head of a request over HTTP, from all of it over gRPC, to the answer. */
  seconds: { observe(labels: Record<'transport', string>, seconds: number): void };
}

export function createReceiverMetrics(metrics: Metrics): ReceiverMetrics {
  return {
    requests: metrics.counter({
      name: 'vivace_receiver_requests_total',
      help: 'OTLP requests by transport and the status answered; `canceled` for clients that left before it.',
      labels: ['transport', 'status'],
    }),
    receivedBytes: metrics.counter({
      name: 'vivace_receiver_bytes_total',
      help: 'Bytes of OTLP request bodies: as received over HTTP, inflated over gRPC.',
      labels: ['transport'],
    }),
    seconds: metrics.histogram({
      name: 'vivace_receiver_request_duration_seconds',
      help: 'Time from an OTLP request to its answer: over HTTP from its head, over gRPC from all of it.',
      labels: ['transport'],
    }),
  };
}
