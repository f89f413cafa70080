import { parseEndpoint } from '@vivace/config';
import { createDistributor, createDistributorMetrics } from '@vivace/distributor';
import { createByteBudget, type RequestMemory } from '@vivace/http';
import { assert, createBufferPool } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import {
  createGrpcReceiver,
  createHttpReceiver,
  createReceiverMetrics,
  type GrpcReceiver,
  type HttpReceiver,
} from '@vivace/receivers';
import { tracedSink } from '@vivace/self-tracing';
import type { Base } from './compose-base.ts';
import { readTlsFiles, type TlsPaths } from './tls.ts';

/** Bodies of requests under way, over all receivers; their buffers are used again. */
const REQUEST_MEMORY_BYTES = 64 * 1024 * 1024;
const IDLE_BUFFER_BYTES = 16 * 1024 * 1024;

export interface ReceiverParts {
  grpc: GrpcReceiver;
  http: HttpReceiver;
}

/** OTLP in, and each tenant held to its limits on the way to `next`. Not started yet. */
export function createReceivers(base: Base, next: TraceSink): ReceiverParts {
  const { config, clock, metrics, logger } = base;
  const distributor = createDistributor({
    next,
    clock,
    metrics: createDistributorMetrics(metrics),
    limits: {
      ingestionRateBytes: config.limits.ingestion_rate_bytes,
      ingestionBurstBytes: config.limits.ingestion_burst_bytes,
    },
    maxTenants: config.limits.max_tenants,
  });
  const { grpc, http } = config.distributor.receivers.otlp.protocols;
  const shared = {
    sink: base.tracer === undefined ? distributor : tracedSink(distributor, base.tracer),
    memory: requestMemory(base),
    clock,
    metrics: createReceiverMetrics(metrics),
    maxRequestBytes: config.limits.max_request_bytes,
    multitenancy: config.multitenancy_enabled,
    onDefect: (error: Error) => logger.error({ err: error }, 'a request failed by a defect'),
  };
  return {
    grpc: createGrpcReceiver({ ...shared, ...listenOn(grpc.endpoint), ...receiverTls(grpc.tls) }),
    http: createHttpReceiver({
      ...shared,
      ...listenOn(http.endpoint),
      ...receiverTls(http.tls),
      corsOrigins: http.cors.allowed_origins,
    }),
  };
}

/** For the requests of one kind that are under way at a time. */
export function requestMemory({ config, budgets }: Pick<Base, 'config' | 'budgets'>): RequestMemory {
  const budget = createByteBudget(Math.max(REQUEST_MEMORY_BYTES, 2 * config.limits.max_request_bytes));
  budgets.add({ name: 'requests', usedBytes: () => budget.usedBytes, maxBytes: budget.maxBytes });
  return { pool: createBufferPool({ maxIdleBytes: IDLE_BUFFER_BYTES }), budget };
}

function listenOn(text: string): { host: string; port: number } {
  const endpoint = parseEndpoint(text);
  assert(endpoint !== undefined, 'the configuration checks endpoints');
  return endpoint;
}

function receiverTls(paths: TlsPaths) {
  const files = readTlsFiles(paths);
  if (files === undefined) return {};
  const { certificate, key, clientCa } = files;
  return { tls: { cert: certificate, key, ...(clientCa !== undefined && { clientCa }) } };
}
