import http from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import {
  type AnyRequest,
  type AnyResponse,
  DEFAULT_LISTENER_LIMITS,
  type GrpcMethod,
  isGrpc,
  type ListenAddress,
  type Listener,
  type ListenerLimits,
  type ListenerTls,
  listen,
  serveGrpc,
} from '@vivace/http';
import { assert, type Clock, type Service, VivaceError } from '@vivace/kernel';
import type { Logger, Metrics } from '@vivace/telemetry';
import { createApp } from './app.ts';
import { createFailureLog } from './failure-log.ts';
import { healthMethods } from './health.ts';
import type { BuildInfo } from './operation-routes.ts';
import { problemResponse } from './problem.ts';
import { QueryGate } from './query/query-gate.ts';
import type { StreamingOptions } from './query/stream-call.ts';
import { STREAMING_SERVICE, streamingMethods } from './query/streaming-querier.ts';
import type { QueryEngine } from './query-engine.ts';
import type { RouteContext } from './route.ts';
import type { Tenancy } from './tenants.ts';
import type { TraceFinder } from './trace-finder.ts';
import { sendWhole } from './whole-body.ts';

export interface ApiOptions {
  host: string;
  /** 0 picks a free one; `address` tells which. */
  port: number;
  tls?: ListenerTls;
  tenancy: Tenancy;
  /** Finds traces by id. Without one, and without an engine, only the routes of operations are served. */
  finder?: TraceFinder;
  /** Answers TraceQL. Without one only traces by id are served. */
  engine?: QueryEngine;
  build: BuildInfo;
  /** What keeps the server from serving, a line each; empty when it is ready. Asked at every `/ready`. */
  notReady: () => string[];
  /** Cuts and uploads everything acknowledged so far; resolves when it is in the manifest. */
  flush: (signal: AbortSignal) => Promise<void>;
  /** The configuration in force as YAML, without secrets. */
  configYaml: () => string;
  logger: Logger;
  metrics: Metrics;
  clock: Clock;
  limits?: Partial<ApiLimits>;
}

export interface ApiLimits extends ListenerLimits {
  /** `limits.max_trace_response_bytes`. */
  maxTraceBytes: number;
  /** Trace lookups at the same time. */
  maxLookups: number;
  traceTimeoutMs: number;
  /** Searches, metrics and questions about attributes at the same time, one for each tenant asked. */
  maxQueries: number;
  queryTimeoutMs: number;
  /** Of one metrics query. */
  maxMetricsRangeMs: number;
  flushTimeoutMs: number;
  maxGrpcRequestBytes: number;
}

export const DEFAULT_API_LIMITS: ApiLimits = {
  ...DEFAULT_LISTENER_LIMITS,
  maxTraceBytes: 128 * 1024 * 1024,
  // Ordinary lookups take milliseconds, so 64 are thousands a second.
  maxLookups: 64,
  // Grafana's own client gives up after 30 s.
  traceTimeoutMs: 30_000,
  // A dashboard asks dozens of questions at once; the engine bounds what they use.
  maxQueries: 256,
  // Data sources wait 30 s unless they are told to wait longer.
  queryTimeoutMs: 60_000,
  maxMetricsRangeMs: 7 * 24 * 3_600_000,
  // A flush uploads everything that is not in a block yet.
  flushTimeoutMs: 10 * 60_000,
  maxGrpcRequestBytes: 1024 * 1024,
};

export interface Api extends Service {
  /** Where it listens; only after `start`. */
  readonly address: ListenAddress;
}

/** The edge that people and Grafana talk to: Tempo's HTTP API and gRPC on one port. */
export function createApi(options: ApiOptions): Api {
  const limits: ApiLimits = { ...DEFAULT_API_LIMITS, ...options.limits };
  const { clock, logger } = options;
  const instruments = createInstruments(options.metrics);
  const context: RouteContext = {
    clock,
    observe: (route, status, seconds) => instruments.requests.observe({ route, status: String(status) }, seconds),
    onError: createFailureLog({ logger, clock }),
  };
  const queries: StreamingOptions | undefined = options.engine && {
    engine: options.engine,
    tenancy: options.tenancy,
    gate: new QueryGate(limits.maxQueries),
    metrics: { maxRangeNanos: BigInt(limits.maxMetricsRangeMs) * 1_000_000n },
    timeoutMs: limits.queryTimeoutMs,
    clock,
  };
  const app = createApp({
    queries,
    traces: options.finder && {
      finder: options.finder,
      tenancy: options.tenancy,
      maxTraceBytes: limits.maxTraceBytes,
      maxLookups: limits.maxLookups,
      timeoutMs: limits.traceTimeoutMs,
    },
    operations: {
      build: options.build,
      notReady: options.notReady,
      flush: options.flush,
      flushTimeoutMs: limits.flushTimeoutMs,
      configYaml: options.configYaml,
      servesTraces: options.finder !== undefined,
      renderMetrics: () => options.metrics.render(),
    },
    context,
  });
  const answer = async (request: Request, env: { outgoing: AnyResponse }): Promise<Response> => {
    const response = await app.fetch(request, env);
    return sendWhole(response, env.outgoing) ? RESPONSE_ALREADY_SENT : response;
  };
  const serveHttp = getRequestListener(answer, {
    // Two services in one process must not meet in the globals.
    overrideGlobalObjects: false,
    // Health checks of load balancers speak HTTP/1.0, which has no host.
    hostname: 'localhost',
    errorHandler: (cause) => problemResponse(unreadableRequest(cause)),
  });
  const services = queries === undefined ? [] : [STREAMING_SERVICE];
  const methods: ReadonlyMap<string, GrpcMethod> = new Map([
    ...healthMethods({ notReady: options.notReady, services, clock }),
    ...(queries === undefined ? [] : streamingMethods(queries)),
  ]);
  const stopping = new AbortController();
  const onRequest = (request: AnyRequest, response: AnyResponse) => {
    if (response instanceof http.ServerResponse && isGrpc(request.headers)) {
      response.writeHead(505, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      response.end('gRPC needs HTTP/2: use a gRPC client, or a proxy that speaks HTTP/2 to this port\n');
    } else {
      void serveHttp(request, response);
    }
  };

  let listener: Promise<Listener> | undefined;
  let address: ListenAddress | undefined;
  return {
    get address() {
      assert(address !== undefined, 'the API has no address before it is started');
      return address;
    },
    start: async ({ signal }) => {
      signal.throwIfAborted();
      assert(!stopping.signal.aborted, 'the API was started after it was stopped');
      listener ??= listen({
        host: options.host,
        port: options.port,
        portFlag: '--http-port',
        ...(options.tls === undefined ? {} : { tls: options.tls }),
        limits,
        clock,
        onRequest,
        onGrpc: (stream, headers) =>
          void serveGrpc(stream, headers, {
            methods,
            clock,
            maxRequestBytes: limits.maxGrpcRequestBytes,
            requestTimeoutMs: limits.requestTimeoutMs,
            onError: (error, path) => logger.error({ err: error, request: path }, 'a call failed'),
            stopping: stopping.signal,
          }),
        onRefused: () => instruments.refused.inc(),
      });
      ({ address } = await listener);
    },
    stop: async () => {
      stopping.abort();
      // A start that failed has nothing to let go of.
      const started = await listener?.catch(() => undefined);
      await started?.stop();
    },
  };
}

function unreadableRequest(cause: unknown): VivaceError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VivaceError('invalid', 'request', `the request cannot be read: ${reason}`, { cause });
}

function createInstruments(metrics: Metrics) {
  return {
    requests: metrics.histogram({
      name: 'vivace_api_request_duration_seconds',
      help: 'Time from a request of the HTTP API to its answer, by route and status.',
      labels: ['route', 'status'],
    }),
    refused: metrics.counter({
      name: 'vivace_api_connections_refused_total',
      help: 'Connections to the HTTP API that were closed at once because there were too many.',
    }),
  };
}
