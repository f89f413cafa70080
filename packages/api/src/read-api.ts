import type { Clock } from '@vivace/kernel';
import { Hono } from 'hono';
import { DEFAULT_API_LIMITS } from './api.ts';
import { problemResponse } from './problem.ts';
import { QueryGate } from './query/query-gate.ts';
import { addSearchRoutes } from './query/search-routes.ts';
import type { QueryEngine } from './query-engine.ts';
import type { Tenancy } from './tenants.ts';
import type { TraceFinder } from './trace-finder.ts';
import { addTraceRoutes } from './trace-routes.ts';

export interface ReadApiOptions {
  tenancy: Tenancy;
  finder: TraceFinder;
  engine: QueryEngine;
  maxTraceBytes: number;
  clock: Clock;
}

/** The answer to a GET of a path with its query, such as `/api/search?q={}`. */
export type ReadApi = (path: string, headers: Record<string, string>, signal: AbortSignal) => Promise<Response>;

/** Traces by id and searches as the HTTP API answers them, without a port: for programs that are their own client. */
export function createReadApi({ tenancy, finder, engine, maxTraceBytes, clock }: ReadApiOptions): ReadApi {
  const limits = DEFAULT_API_LIMITS;
  const app = new Hono();
  const context = { clock, observe: () => undefined, onError: () => undefined };
  addTraceRoutes(
    app,
    { finder, tenancy, maxTraceBytes, maxLookups: limits.maxLookups, timeoutMs: limits.traceTimeoutMs },
    context,
  );
  const queries = {
    engine,
    tenancy,
    gate: new QueryGate(limits.maxQueries),
    metrics: { maxRangeNanos: BigInt(limits.maxMetricsRangeMs) * 1_000_000n },
    timeoutMs: limits.queryTimeoutMs,
  };
  addSearchRoutes(app, queries, context);
  app.onError((error) => problemResponse(error));
  return async (path, headers, signal) =>
    app.fetch(new Request(new URL(path, 'http://localhost'), { headers, signal }));
}
