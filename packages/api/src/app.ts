import { Hono } from 'hono';
import { addOperationRoutes, type OperationRoutesOptions } from './operation-routes.ts';
import { problemResponse, textResponse } from './problem.ts';
import { addMetricsRoutes } from './query/metrics-routes.ts';
import type { QueryRoutesOptions } from './query/route-options.ts';
import { addSearchRoutes } from './query/search-routes.ts';
import { addTagRoutes } from './query/tag-routes.ts';
import type { RouteContext } from './route.ts';
import { addTraceRoutes, type TraceRoutesOptions } from './trace-routes.ts';

export interface AppOptions {
  /** Absent: no traces are served. */
  traces?: TraceRoutesOptions | undefined;
  /** Absent: nothing answers TraceQL. */
  queries?: QueryRoutesOptions | undefined;
  operations: OperationRoutesOptions;
  context: RouteContext;
}

/** Every route of the HTTP API, without a port: a request in, an answer out. */
export function createApp({ traces, queries, operations, context }: AppOptions): Hono {
  const app = new Hono();
  if (traces !== undefined) addTraceRoutes(app, traces, context);
  const queryPaths =
    queries === undefined
      ? []
      : [addSearchRoutes, addTagRoutes, addMetricsRoutes].flatMap((add) => add(app, queries, context));
  addOperationRoutes(app, operations, queryPaths, context);
  app.notFound(() => textResponse('404 page not found\nthe endpoints are listed at /status\n', 404));
  app.onError((error, c) => {
    context.onError(error, `${c.req.method} ${c.req.path}`);
    return problemResponse(error);
  });
  return app;
}
