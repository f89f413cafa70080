/** A counter as prom-client has it. */
export interface LabelledCounter<Label extends string> {
  inc(labels: Record<Label, string>, value?: number): void;
}

/** What the receivers count. `transport` is `http` or `grpc`; `status` is the code answered. */
export interface ReceiverMetrics {
  requests: LabelledCounter<'transport' | 'status'>;
  /** Bytes of request bodies: as they came over HTTP, inflated over gRPC, whose library inflates. */
  receivedBytes: LabelledCounter<'transport'>;
}
