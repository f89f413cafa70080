import type { GrpcCall } from '@vivace/http';
import type { Clock } from '@vivace/kernel';
import type { QueryRoutesOptions } from './route-options.ts';
import type { RequestFields } from './stream-requests.ts';
import type { BoundEngine } from './tenants-engine.ts';

export interface StreamingOptions extends QueryRoutesOptions {
  clock: Clock;
}

/** What a method works with: a decoded request, and where its answer goes. */
export interface StreamCall {
  request: RequestFields;
  engine: BoundEngine;
  nowMs: number;
  clock: Clock;
  signal: AbortSignal;
  send: GrpcCall['send'];
  headers: GrpcCall['headers'];
  /** Says in the trailers, or by an error, that the answer is not whole. */
  finish: (problems: readonly string[], leftOut?: string) => void;
  trailers: GrpcCall['trailers'];
  options: StreamingOptions;
}
