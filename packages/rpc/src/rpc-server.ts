import http2 from 'node:http2';
import {
  type AnyRequest,
  type AnyResponse,
  DEFAULT_LISTENER_LIMITS,
  type GrpcMethod,
  type ListenAddress,
  type Listener,
  type ListenerTls,
  listen,
  type RequestMemory,
  serveGrpc,
} from '@vivace/http';
import { assert, type Clock, type Service } from '@vivace/kernel';
import { ALPN, PREFACE } from './calls/frames.ts';
import { type CallMethod, serveCalls } from './calls/serve-calls.ts';

export interface RpcServerOptions {
  host: string;
  /** 0 picks a free one; `address` tells which. */
  port: number;
  tls?: ListenerTls;
  /** What is called by gRPC, by path. */
  methods: ReadonlyMap<string, GrpcMethod>;
  /** What is called by frames on a connection of their own, by path. */
  calls: ReadonlyMap<string, CallMethod>;
  memory: RequestMemory;
  maxRequestBytes: number;
  clock: Clock;
  onError: (error: unknown, call: string) => void;
  /** How long `stop` waits for calls under way. Default 5 s. */
  stopTimeoutMs?: number;
}

export interface RpcServer extends Service {
  /** Where it listens; only after `start`. */
  readonly address: ListenAddress;
}

/** Calls at one time on one connection; a caller bounds them itself, and has one connection. */
const MAX_STREAMS = 256;
/** What one caller may have on its way while nobody has looked at it: a call of the usual size, and a burst of them. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
const STOP_TIMEOUT_MS = 5000;

/** The port at which processes of ours call each other: by gRPC with pushes, by frames of their own with all else. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const { clock, methods, calls, memory, maxRequestBytes, onError } = options;
  const stopTimeoutMs = options.stopTimeoutMs ?? STOP_TIMEOUT_MS;
  const limits = {
    ...DEFAULT_LISTENER_LIMITS,
    maxStreams: MAX_STREAMS,
    streamWindowBytes: STREAM_WINDOW_BYTES,
    connectionWindowBytes: CONNECTION_WINDOW_BYTES,
    stopTimeoutMs,
  };
  const stopping = new AbortController();
  const onRequest = (_: AnyRequest, response: AnyResponse) => {
    if (response instanceof http2.Http2ServerResponse) {
      response.writeHead(415, { 'content-type': 'text/plain; charset=utf-8' });
    } else {
      response.writeHead(505, { connection: 'close' });
    }
    response.end(NOT_HERE);
  };

  let listener: Promise<Listener> | undefined;
  let address: ListenAddress | undefined;
  return {
    get address() {
      assert(address !== undefined, 'the port has no address before it is started');
      return address;
    },
    start: async ({ signal }) => {
      signal.throwIfAborted();
      listener ??= listen({
        host: options.host,
        port: options.port,
        portFlag: '--grpc-port',
        ...(options.tls !== undefined && { tls: options.tls }),
        limits,
        clock,
        onRequest,
        onGrpc: (stream, headers) =>
          void serveGrpc(stream, headers, {
            methods,
            clock,
            memory,
            maxRequestBytes,
            tellsErrors: true,
            requestTimeoutMs: limits.requestTimeoutMs,
            onError,
            stopping: stopping.signal,
          }),
        own: {
          preface: PREFACE,
          alpn: ALPN,
          serve: (socket) =>
            serveCalls(socket, {
              methods: calls,
              clock,
              memory,
              maxRequestBytes,
              requestTimeoutMs: limits.requestTimeoutMs,
              idleTimeoutMs: limits.idleTimeoutMs,
              onError,
              stopping: stopping.signal,
            }),
        },
        onRefused: () => undefined,
      });
      ({ address } = await listener);
    },
    stop: async () => {
      const started = await listener?.catch(() => undefined);
      // Calls under way end by themselves, or are told shortly before their connections are closed.
      const cancel = clock.after(stopTimeoutMs * 0.9, () => stopping.abort());
      await started?.stop();
      cancel();
      stopping.abort();
    },
  };
}

const NOT_HERE = 'this port takes calls of other processes of Vivace: people and Grafana use the HTTP port\n';
