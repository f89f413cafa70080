import {
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { RequestBody } from '@vivace/http';
import { assert, listenError, type Service, toVivaceError } from '@vivace/kernel';
import { encodeExportResponse, encodeRpcStatus } from '@vivace/otlp';
import { errorStatus } from './error-status.ts';
import { partialSuccess } from './http-receiver.ts';
import type { ReceiverOptions } from './receiver-options.ts';
import { TENANT_HEADER, writeTenant } from './tenant-header.ts';
import type { TlsOptions } from './tls-options.ts';

export type GrpcReceiverOptions = ReceiverOptions;

export interface GrpcReceiver extends Service {
  /** Where it listens, once started. */
  address(): { host: string; port: number };
}

/** Calls of one connection at a time; the next wait in the client. An exporter has a handful under way. */
const MAX_STREAMS = 8;

const identity = (bytes: Buffer): Buffer => bytes;

/** The bytes pass through: nothing is decoded on the way to the sink. */
const TRACE_SERVICE = {
  Export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
} satisfies ServiceDefinition;

/**
 * OTLP over gRPC: TraceService/Export, uncompressed, gzip or deflate. Other services and methods are answered
 * with UNIMPLEMENTED, so is another compression.
 */
export function createGrpcReceiver(options: GrpcReceiverOptions): GrpcReceiver {
  const { host, clock, metrics } = options;
  // The library writes lines of its own to stderr about what it also tells here. GRPC_VERBOSITY brings them back.
  if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    'grpc.max_receive_message_length': options.maxRequestBytes,
    'grpc.max_concurrent_streams': MAX_STREAMS,
  });
  const underWay = new Set<AbortController>();
  let port = options.port;
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  server.addService(TRACE_SERVICE, {
    Export: ((call, callback) => void receive(call, callback)) satisfies handleUnaryCall<Buffer, Buffer>,
  });

  async function receive(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): Promise<void> {
    const startedMs = clock.monotonicMs();
    const gone = new AbortController();
    underWay.add(gone);
    call.on('cancelled', () => gone.abort());
    const body = new RequestBody(options.memory, options.maxRequestBytes);
    let status = 0;
    try {
      const tenant = writeTenant(call.metadata.get(TENANT_HEADER).join(', ') || undefined, options.multitenancy);
      const request = call.request;
      metrics.receivedBytes.inc({ transport: 'grpc' }, request.length);
      if (request.length === 0) return callback(null, EMPTY);
      body.expect(request.length);
      body.append(request);
      const result = await options.sink.push(tenant, { bytes: body.bytes, release: () => body.release() }, gone.signal);
      callback(null, Buffer.from(encodeExportResponse(partialSuccess(result))));
    } catch (error) {
      const ours = toVivaceError(error);
      if (ours.kind === 'internal') options.onDefect(ours);
      const answer = errorStatus(ours);
      status = answer.grpc;
      callback({ code: answer.grpc, details: answer.message, metadata: statusDetails(answer) });
    } finally {
      underWay.delete(gone);
      body.release();
      metrics.requests.inc({ transport: 'grpc', status: String(status) });
      metrics.seconds.observe({ transport: 'grpc' }, (clock.monotonicMs() - startedMs) / 1000);
    }
  }

  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.bindAsync(
        `${host.includes(':') ? `[${host}]` : host}:${port}`,
        credentials(options.tls),
        (error, bound) => {
          if (error !== null)
            return reject(listenError(systemError(error), { host, port, portFlag: '--otlp-grpc-port' }));
          port = bound;
          resolve();
        },
      );
    });

  const close = async () => {
    if (started === undefined) return;
    await started.catch(() => undefined);
    const cancel = clock.after(options.stopTimeoutMs ?? 10_000, () => {
      for (const gone of underWay) gone.abort();
      server.forceShutdown();
    });
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    cancel();
  };

  return {
    start: () => (started ??= listen()),
    stop: () => (stopped ??= close()),
    address: () => {
      assert(started !== undefined, 'the gRPC receiver has not been started');
      return { host, port };
    },
  };
}

const EMPTY = Buffer.alloc(0);

/** google.rpc.Status for clients that look for RetryInfo. */
function statusDetails(answer: { grpc: number; message: string; retryDelayMs: number | undefined }): Metadata {
  const metadata = new Metadata();
  const { grpc: code, message, retryDelayMs } = answer;
  const status = encodeRpcStatus({ code, message, ...(retryDelayMs === undefined ? {} : { retryDelayMs }) });
  metadata.set('grpc-status-details-bin', Buffer.from(status));
  return metadata;
}

function credentials(tls: TlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) };
  const clientCa = tls.clientCa === undefined ? null : Buffer.from(tls.clientCa);
  return ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
}

/** grpc-js gives the system's code only as part of a message. */
function systemError(error: Error): Error {
  const code = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL|ENOTFOUND)\b/.exec(error.message)?.[1];
  return code === undefined ? error : Object.assign(new Error(error.message, { cause: error }), { code });
}
