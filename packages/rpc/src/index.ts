export { type CallChannel, type CallChannelOptions, createCallChannel } from './calls/call-channel.ts';
export type { CallRequest } from './calls/connection.ts';
export type { Call, CallMethod } from './calls/serve-calls.ts';
export { type Callee, ChannelPool, type ChannelPoolOptions } from './channel-pool.ts';
export { type CallOptions, createHeadsClient, type HeadsClient } from './heads-client.ts';
export {
  type HeadChunk,
  type HeadsAnswer,
  type HeadsRequest,
  type HeadsState,
  type HeadTraceAnswer,
  type HeadTraceRequest,
  MAX_KNOWN_CHUNKS,
  type TimeRange,
} from './heads-messages.ts';
export { type HeadsServing, headsMethods } from './heads-service.ts';
export { decodeParcel, encodeParcel } from './parcel.ts';
export { practiseCalls } from './practise-calls.ts';
export { createPushClient, type PushClient, type PushOutcome, type RemoteSlice } from './push-client.ts';
export { pushMethods } from './push-service.ts';
export { createQueryClient, type QueryClient } from './query-client.ts';
export { packQuestion, unpackQuestion } from './query-messages.ts';
export { type QueryServing, queryMethods } from './query-service.ts';
export { createRpcServer, type RpcServer, type RpcServerOptions } from './rpc-server.ts';
