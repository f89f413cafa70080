import { VivaceError } from '@vivace/kernel';
import type { Context, Hono } from 'hono';
import { JSON_TYPE, PROTOBUF, wantsProtobuf } from './accept.ts';
import { bodyResponse } from './body.ts';
import { textResponse } from './problem.ts';
import { addRoute, type RouteContext } from './route.ts';
import { readTenants, type Tenancy } from './tenants.ts';
import { parseTimeRange } from './time-range.ts';
import {
  encodeTraceByIdResponse,
  mergeAnswers,
  missingParts,
  partialMessage,
  pieces,
  renderTraceV1,
  renderTraceV2,
} from './trace-answer.ts';
import type { TraceAnswer, TraceFinder } from './trace-finder.ts';
import { parseTraceId } from './trace-id.ts';
import { isConnected, isNear } from './whole-body.ts';

export interface TraceRoutesOptions {
  finder: TraceFinder;
  tenancy: Tenancy;
  /** A longer trace is cut (v2) or refused (v1). Bytes of its protobuf encoding. */
  maxTraceBytes: number;
  /** Lookups at the same time; each may hold `maxTraceBytes`. More are answered with 429. */
  maxLookups: number;
  timeoutMs: number;
}

/** Tempo's sharding hint. All values are answered with everything there is: nothing here is read from one side only. */
const MODES = ['all', 'ingesters', 'blocks', 'external'];

/** Traces by id, in both versions of the endpoint. */
export function addTraceRoutes(app: Hono, options: TraceRoutesOptions, context: RouteContext): void {
  const lookups = { running: 0 };
  const common = { methods: ['GET', 'POST'], timeoutMs: options.timeoutMs } as const;
  addRoute(
    app,
    {
      ...common,
      path: '/api/traces/:id',
      handle: async (c, signal) => answerV1(c, await lookup(c, options, lookups, signal), options, context),
    },
    context,
  );
  addRoute(
    app,
    {
      ...common,
      path: '/api/v2/traces/:id',
      handle: async (c, signal) => answerV2(c, await lookup(c, options, lookups, signal), options, context),
    },
    context,
  );
}

async function lookup(
  c: Context,
  { finder, tenancy, maxTraceBytes, maxLookups }: TraceRoutesOptions,
  lookups: { running: number },
  signal: AbortSignal,
): Promise<TraceAnswer> {
  const tenants = readTenants(c.req.header('x-scope-orgid'), tenancy);
  const traceId = parseTraceId(c.req.param('id') ?? '');
  const range = parseTimeRange(c.req.query('start'), c.req.query('end'));
  const mode = c.req.query('mode') ?? 'all';
  if (!MODES.includes(mode)) {
    throw new VivaceError(
      'invalid',
      'mode',
      `invalid value for mode ${mode.slice(0, 40)}: write one of ${MODES.join(', ')}`,
    );
  }
  if (lookups.running + tenants.length > maxLookups) {
    throw new VivaceError('limited', 'too-many-lookups', `too many traces are being read: max ${maxLookups}`);
  }
  lookups.running += tenants.length;
  try {
    const found = tenants.map(async (tenant) =>
      finder.findTrace(tenant, traceId, { ...range, maxBytes: maxTraceBytes, signal }),
    );
    // All have ended, also after a failure, before their places are given to others.
    const settled = await Promise.allSettled(found);
    return mergeAnswers(settled.map(valueOf), maxTraceBytes);
  } finally {
    lookups.running -= tenants.length;
  }
}

function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** 200 with the trace, 404 when there is none, and a failure for everything that is not the whole trace. */
function answerV1(
  c: Context,
  answer: TraceAnswer,
  { maxTraceBytes }: TraceRoutesOptions,
  context: RouteContext,
): Promise<Response> | Response {
  if (answer.truncated) {
    return textResponse(
      `trace exceeds max size (max bytes: ${maxTraceBytes})\n` +
        `read /api/v2/traces/{id} for the part that fits, or raise limits.max_trace_response_bytes\n`,
      422,
    );
  }
  const missing = missingParts(answer);
  if (missing !== undefined) {
    throw new VivaceError(
      'unavailable',
      'trace-incomplete',
      `the trace may be incomplete: ${missing}\nread /api/v2/traces/{id} for the part that could be read`,
    );
  }
  if (answer.trace.length === 0) {
    return textResponse('trace not found\ncheck the id, its tenant, and start and end if they are given\n', 404);
  }
  if (wantsProtobuf(c)) return respond(c, PROTOBUF, pieces(answer.trace), context);
  return respond(c, JSON_TYPE, renderTraceV1(answer.trace), context);
}

/** Always 200: an empty trace when there is none, `PARTIAL` with a message for what is not the whole trace. */
function answerV2(
  c: Context,
  answer: TraceAnswer,
  { maxTraceBytes }: TraceRoutesOptions,
  context: RouteContext,
): Promise<Response> {
  const message = partialMessage(answer, maxTraceBytes);
  if (wantsProtobuf(c)) return respond(c, PROTOBUF, encodeTraceByIdResponse(answer, message), context);
  return respond(c, JSON_TYPE, renderTraceV2(answer, message), context);
}

function respond(
  c: Context,
  contentType: string,
  parts: Iterable<Uint8Array>,
  context: RouteContext,
): Promise<Response> {
  return bodyResponse(parts, {
    contentType,
    acceptEncoding: c.req.header('accept-encoding'),
    isNear: isNear(c),
    headersOnly: c.req.method === 'HEAD',
    direct: isConnected(c),
    onError: (error) => context.onError(error, `${c.req.method} ${c.req.routePath}`),
  });
}
