import type { Context } from 'hono';
import { bodyResponse } from '../body.ts';
import type { QueryEngine } from '../query-engine.ts';
import type { RouteContext } from '../route.ts';
import { readTenants, type Tenancy } from '../tenants.ts';
import { isConnected, isNear } from '../whole-body.ts';
import type { MetricsLimits } from './metrics-request.ts';
import { headerValue, PARTIAL_HEADER } from './partial.ts';
import type { QueryGate } from './query-gate.ts';
import { type BoundEngine, engineFor } from './tenants-engine.ts';

/** What queries need, over HTTP and over gRPC. */
export interface QueryRoutesOptions {
  engine: QueryEngine;
  tenancy: Tenancy;
  /** The same for both protocols. */
  gate: QueryGate;
  metrics: MetricsLimits;
  timeoutMs: number;
}

/** Runs a query of the tenants that a header names. */
export function runQuery<T>(
  { engine, tenancy, gate }: QueryRoutesOptions,
  tenantHeader: string | undefined,
  work: (engine: BoundEngine) => Promise<T>,
): Promise<T> {
  const tenants = readTenants(tenantHeader, tenancy);
  return gate.run(tenants.length, () => work(engineFor(engine, tenants)));
}

/** A 200 answer; `partial` says why it is not whole. */
export async function answerResponse(
  c: Context,
  contentType: string,
  pieces: Iterable<Uint8Array>,
  { partial, context }: { partial: string | undefined; context: RouteContext },
): Promise<Response> {
  const response = await bodyResponse(pieces, {
    contentType,
    acceptEncoding: c.req.header('accept-encoding'),
    isNear: isNear(c),
    headersOnly: c.req.method === 'HEAD',
    direct: isConnected(c),
    onError: (error) => context.onError(error, `${c.req.method} ${c.req.routePath}`),
  });
  if (partial !== undefined) response.headers.set(PARTIAL_HEADER, headerValue(partial));
  return response;
}
