export { type ByteBudget, createByteBudget } from './byte-budget.ts';
export { createGrpcReceiver, type GrpcReceiver, type GrpcReceiverOptions } from './grpc-receiver.ts';
export { createHttpReceiver, type HttpReceiver, type HttpReceiverOptions } from './http-receiver.ts';
export { createReceiverMetrics, type LabelledCounter, type ReceiverMetrics } from './metrics.ts';
export type { RequestMemory } from './request-body.ts';
export type { PushResult, TraceSink } from './sink.ts';
export type { TlsOptions } from './tls-options.ts';
