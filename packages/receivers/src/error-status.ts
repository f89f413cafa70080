import { TOO_LARGE } from '@vivace/http';
import { type ErrorKind, VivaceError } from '@vivace/kernel';

/**
 * What OTLP clients are told, one total table. Over HTTP they try again after 429, 502, 503 and 504 only, over
 * gRPC after UNAVAILABLE and a few more, and after RESOURCE_EXHAUSTED if RetryInfo is there; everything else
 * makes them drop the spans. So `internal`, a defect of ours, is 503 and UNAVAILABLE: 500 would lose data that
 * a retry, or a restart meanwhile, may save. The same goes for `conflict`, which is a race of ours.
 */
const STATUS_OF: Record<ErrorKind, { http: number; grpc: number }> = {
  invalid: { http: 400, grpc: 3 },
  data: { http: 400, grpc: 3 },
  unauthorized: { http: 401, grpc: 16 },
  'not-found': { http: 404, grpc: 5 },
  limited: { http: 429, grpc: 8 },
  conflict: { http: 503, grpc: 14 },
  unavailable: { http: 503, grpc: 14 },
  deadline: { http: 503, grpc: 14 },
  canceled: { http: 503, grpc: 14 },
  internal: { http: 503, grpc: 14 },
};

/** When nothing says how long to wait. */
const DEFAULT_RETRY_MS = 1000;

export interface ErrorStatus {
  http: number;
  /** A gRPC status code, also the `code` of google.rpc.Status over HTTP. */
  grpc: number;
  message: string;
  /** Undefined: trying again does not help. */
  retryDelayMs: number | undefined;
}

export function errorStatus(error: VivaceError): ErrorStatus {
  const status = STATUS_OF[error.kind];
  const retryDelayMs = error.retryAfterMs ?? (status.http === 503 ? DEFAULT_RETRY_MS : undefined);
  return {
    http: error.code === TOO_LARGE ? 413 : status.http,
    grpc: status.grpc,
    // A defect's message is for the log.
    message: error.kind === 'internal' ? 'internal error: the server has logged it; try again' : error.message,
    retryDelayMs,
  };
}
