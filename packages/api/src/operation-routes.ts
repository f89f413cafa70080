import type { Hono } from 'hono';
import { bodyResponse } from './body.ts';
import { textResponse } from './problem.ts';
import { addRoute, type Route, type RouteContext } from './route.ts';

export interface BuildInfo {
  /** A semantic version: Grafana's older data sources switch features by it. */
  version: string;
  revision: string;
}

export interface OperationRoutesOptions {
  build: BuildInfo;
  /** What keeps the server from serving, a line each; empty when it is ready. */
  notReady: () => string[];
  /** Cuts and uploads everything acknowledged so far; resolves when it is in the manifest. */
  flush: (signal: AbortSignal) => Promise<void>;
  flushTimeoutMs: number;
  /** The configuration in force as YAML, without secrets. */
  configYaml: () => string;
  /** Whether traces are served by id: then questions that are not get an answer that says so. */
  servesTraces: boolean;
  /** The page of `/metrics`. */
  renderMetrics: () => Promise<{ contentType: string; body: string }>;
}

const TIMEOUT_MS = 30_000;

/** What is not served without a query engine, and what to do instead. Grafana shows the text as it is. */
const UNSERVED: [path: string, what: string][] = [
  ['/api/search', 'search'],
  ['/api/search/*', 'the list of attributes'],
  ['/api/v2/search/*', 'the list of attributes'],
  ['/api/metrics/*', 'TraceQL metrics'],
];

/**
 * Health, build, configuration and metrics: the routes that need no tenant. `queryPaths` are those of queries that
 * are served; without any, asking for them is answered with what is served instead.
 */
export function addOperationRoutes(
  app: Hono,
  options: OperationRoutesOptions,
  queryPaths: readonly string[],
  context: RouteContext,
): void {
  const paths: string[] = [...(options.servesTraces ? ['/api/traces/{id}', '/api/v2/traces/{id}'] : []), ...queryPaths];
  const add = (path: string, handle: Route['handle'], more: Partial<Route> = {}) => {
    paths.push(path);
    addRoute(app, { path, methods: ['GET', 'POST'], timeoutMs: TIMEOUT_MS, handle, ...more }, context);
  };
  const { build } = options;

  add('/api/echo', () => textResponse('echo\n'));
  add('/ready', () => readiness(options.notReady()));
  add('/api/status/buildinfo', () => Response.json(buildInfo(build)));
  add('/status', () => textResponse(statusText(build, options.notReady(), paths)));
  add('/status/version', () => textResponse(`vivace ${build.version} (${build.revision})\n`));
  add('/status/config', () => textResponse(options.configYaml()));
  add('/metrics', async (c) => {
    const { contentType, body } = await options.renderMetrics();
    return bodyResponse([Buffer.from(body)], {
      contentType,
      acceptEncoding: c.req.header('accept-encoding'),
      headersOnly: c.req.method === 'HEAD',
      onError: (error) => context.onError(error, 'GET /metrics'),
    });
  });
  add(
    '/flush',
    async (c, signal) => {
      // HEAD comes here as GET does, and must not do anything.
      if (c.req.method === 'HEAD') return textResponse('');
      await options.flush(signal);
      return textResponse('flushed: everything acknowledged before this request is in the manifest\n');
    },
    { timeoutMs: options.flushTimeoutMs },
  );
  if (queryPaths.length > 0 || !options.servesTraces) return;
  for (const [path, what] of UNSERVED) {
    const text = `${what} is not served by this version of Vivace (${build.version})\nopen a trace by its id: /api/v2/traces/{id}, or the id in Grafana's TraceQL box\n`;
    addRoute(
      app,
      { path, methods: ['GET', 'POST'], timeoutMs: TIMEOUT_MS, handle: () => textResponse(text, 404) },
      context,
    );
  }
}

function readiness(missing: readonly string[]): Response {
  if (missing.length === 0) return textResponse('ready\n');
  const response = textResponse(`not ready, waiting for:\n${missing.map((line) => `  ${line}\n`).join('')}`, 503);
  response.headers.set('retry-after', '1');
  return response;
}

function buildInfo({ version, revision }: BuildInfo): Record<string, string> {
  return { version, revision, branch: '', buildUser: '', buildDate: '', goVersion: '' };
}

function statusText({ version }: BuildInfo, missing: readonly string[], paths: readonly string[]): string {
  const ready = missing.length === 0 ? 'yes' : `no, waiting for ${missing.join(', ')}`;
  const endpoints = paths.map((path) => `  ${path}\n`).join('');
  return `vivace ${version}\nready: ${ready}\n\nendpoints:\n${endpoints}`;
}
