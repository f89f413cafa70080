export type { PushResult, TraceSink } from '@vivace/otlp';
export { createGrpcReceiver, type GrpcReceiver, type GrpcReceiverOptions } from './grpc-receiver.ts';
export { createHttpReceiver, type HttpReceiver, type HttpReceiverOptions } from './http-receiver.ts';
export { createReceiverMetrics, type LabelledCounter, type ReceiverMetrics } from './metrics.ts';
export type { TlsOptions } from './tls-options.ts';
