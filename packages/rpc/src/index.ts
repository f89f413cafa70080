export { ChannelPool, type ChannelPoolOptions } from './channel-pool.ts';
export { createPushClient, type PushClient, type PushOutcome, type RemoteSlice } from './push-client.ts';
export { pushMethods } from './push-service.ts';
export { createRpcServer, type RpcServer, type RpcServerOptions } from './rpc-server.ts';
