import { type Clock, toVivaceError, VivaceError } from '@vivace/kernel';
import type { Context, Hono } from 'hono';
import { httpStatus, problemResponse, textResponse } from './problem.ts';

/** What every route is served with. */
export interface RouteContext {
  clock: Clock;
  /** Told of the answer to every request of a known route. */
  observe: (route: string, status: number, seconds: number) => void;
  /** Told of every failure of the server, not of the client. */
  onError: (error: unknown, request: string) => void;
}

export interface Route {
  path: string;
  methods: readonly ('GET' | 'POST')[];
  /** After this long the signal is aborted and the answer is 504. */
  timeoutMs: number;
  handle: (context: Context, signal: AbortSignal) => Promise<Response> | Response;
}

/**
 * Adds a route: other methods are answered with 405, HEAD as GET without a body, OPTIONS with what is allowed,
 * and whatever `handle` throws with the status of its kind.
 */
export function addRoute(app: Hono, route: Route, context: RouteContext): void {
  const methods = route.methods.includes('GET') ? ['HEAD', ...route.methods, 'OPTIONS'] : [...route.methods, 'OPTIONS'];
  const allow = methods.join(', ');
  app.all(route.path, async (c) => {
    const { method } = c.req;
    if (method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } });
    if (!methods.includes(method)) {
      const response = textResponse(`method not allowed: ${route.path} takes ${allow}, received ${method}\n`, 405);
      response.headers.set('allow', allow);
      return response;
    }
    const startedMs = context.clock.monotonicMs();
    let response: Response;
    try {
      response = await withSignal(c.req.raw.signal, route.timeoutMs, context.clock, (signal) =>
        route.handle(c, signal),
      );
    } catch (cause) {
      const error = toVivaceError(cause);
      if (httpStatus(error) >= 500) context.onError(error, `${method} ${route.path}`);
      response = problemResponse(error);
    }
    context.observe(route.path, response.status, (context.clock.monotonicMs() - startedMs) / 1000);
    return response;
  });
}

/**
 * Runs `work` with a signal that is aborted when the client goes away or the time is over, and does not wait
 * for work that ignores it.
 */
async function withSignal<T>(
  client: AbortSignal,
  timeoutMs: number,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  // The race below may be over before: an abort afterwards is nobody's failure.
  aborted.catch(() => undefined);
  const onClientGone = () => controller.abort(new VivaceError('canceled', 'client-gone', 'the client went away'));
  if (client.aborted) onClientGone();
  client.addEventListener('abort', onClientGone, { once: true });
  const cancelTimer = clock.after(timeoutMs, () =>
    controller.abort(
      new VivaceError('deadline', 'request-timeout', `the request took longer than ${timeoutMs / 1000} s`),
    ),
  );
  try {
    return await Promise.race([work(signal), aborted]);
  } finally {
    cancelTimer();
    client.removeEventListener('abort', onClientGone);
  }
}
