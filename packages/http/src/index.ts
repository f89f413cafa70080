export { bodyLate, TOO_LARGE, tooLarge } from './body-errors.ts';
export { type ByteBudget, createByteBudget } from './byte-budget.ts';
export { answerClientError, isRequestTimeout } from './client-error.ts';
export {
  type ChannelTls,
  createGrpcChannel,
  type GrpcChannel,
  type GrpcChannelOptions,
  type GrpcRequest,
  tlsOptions,
} from './grpc-channel.ts';
export { allocateGrpcFrame, PREFIX_BYTES } from './grpc-frame.ts';
export {
  encodeGrpcMessage,
  errorOfGrpcTrailers,
  type GrpcErrorTrailers,
  type GrpcStatus,
  grpcErrorTrailers,
  grpcStatusOf,
  isErrorKind,
} from './grpc-status.ts';
export {
  type AnyRequest,
  type AnyResponse,
  DEFAULT_LISTENER_LIMITS,
  type ListenAddress,
  type Listener,
  type ListenerLimits,
  type ListenerTls,
  listen,
  type OwnProtocol,
} from './listener.ts';
export { type BodyReading, collectBody, RequestBody, type RequestMemory } from './request-body.ts';
export { type GrpcCall, type GrpcMethod, isGrpc, parseGrpcTimeout, serveGrpc } from './serve-grpc.ts';
