import { Hono } from 'hono';
import { addOperationRoutes, type OperationRoutesOptions } from './operation-routes.ts';
import { problemResponse, textResponse } from './problem.ts';
import type { RouteContext } from './route.ts';
import { addTraceRoutes, type TraceRoutesOptions } from './trace-routes.ts';

export interface AppOptions {
  traces: TraceRoutesOptions;
  operations: OperationRoutesOptions;
  context: RouteContext;
}

/** Every route of the HTTP API, without a port: a request in, an answer out. */
export function createApp({ traces, operations, context }: AppOptions): Hono {
  const app = new Hono();
  addTraceRoutes(app, traces, context);
  addOperationRoutes(app, operations, context);
  app.notFound(() => textResponse('404 page not found\nthe endpoints are listed at /status\n', 404));
  app.onError((error, c) => {
    context.onError(error, `${c.req.method} ${c.req.path}`);
    return problemResponse(error);
  });
  return app;
}
