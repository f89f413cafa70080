import type { GrpcCall, GrpcMethod } from '@vivace/http';
import { type Clock, utf8Decode, VivaceError } from '@vivace/kernel';
import { ProtoReader, ProtoWriter, WIRE_BYTES, WIRE_VARINT } from '@vivace/otlp';

/**
 * `grpc.health.v1.Health`, the health protocol of gRPC load balancers and of Kubernetes' `grpc` probes.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export interface HealthOptions {
  /** What keeps the server from serving; empty when it serves. */
  notReady: () => string[];
  /** Services that can be asked for besides the whole server, which has the empty name. */
  services: readonly string[];
  clock: Clock;
}

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** How often a watched status is looked at. */
const WATCH_INTERVAL_MS = 500;

const HEALTH_SERVICE = 'grpc.health.v1.Health';

export function healthMethods({ notReady, services, clock }: HealthOptions): Map<string, GrpcMethod> {
  const known = ['', HEALTH_SERVICE, ...services];
  const statusNow = () => (notReady().length === 0 ? SERVING : NOT_SERVING);

  const check = async (call: GrpcCall) => {
    const service = requestedService(call.message);
    if (!known.includes(service)) {
      throw new VivaceError(
        'not-found',
        'unknown-service',
        `unknown service: ask for '' or one of ${known.slice(1).join(', ')}`,
      );
    }
    await call.send(healthCheckResponse(statusNow()));
  };

  const watch = async (call: GrpcCall) => {
    const service = requestedService(call.message);
    const status = () => (known.includes(service) ? statusNow() : SERVICE_UNKNOWN);
    let sent: number | undefined;
    for (;;) {
      const now = status();
      if (now !== sent) await call.send(healthCheckResponse(now));
      sent = now;
      await clock.sleep(WATCH_INTERVAL_MS, call.signal);
    }
  };

  const list = async (call: GrpcCall) => {
    const response = new ProtoWriter();
    for (const name of known) {
      const entry = response.open(1);
      response.stringField(1, name);
      response.bytesField(2, healthCheckResponse(statusNow()));
      response.close(entry);
    }
    await call.send(response.toBytes());
  };

  return new Map([
    [`/${HEALTH_SERVICE}/Check`, check],
    [`/${HEALTH_SERVICE}/Watch`, watch],
    [`/${HEALTH_SERVICE}/List`, list],
  ]);
}

function healthCheckResponse(status: number): Uint8Array {
  const response = new ProtoWriter(8);
  response.tag(1, WIRE_VARINT);
  response.varint(status);
  return response.toBytes();
}

/** Field 1 of a `HealthCheckRequest`; absent is the empty name. */
function requestedService(message: Uint8Array): string {
  const reader = new ProtoReader(message);
  let service = '';
  try {
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag !== 8 + WIRE_BYTES) {
        reader.skip(tag & 7);
        continue;
      }
      const length = reader.length();
      service = utf8Decode(message.subarray(reader.at, reader.at + length));
      reader.at += length;
    }
  } catch (cause) {
    throw new VivaceError('invalid', 'health-request', 'the request is not a HealthCheckRequest', { cause });
  }
  return service;
}
