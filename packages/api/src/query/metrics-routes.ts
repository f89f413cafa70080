import { seriesJson } from '@vivace/block-query';
import type { Context, Hono } from 'hono';
import { JSON_TYPE } from '../accept.ts';
import type { MetricsPart } from '../query-engine.ts';
import { addRoute, type RouteContext } from '../route.ts';
import { listOfJsonPieces, listToJsonPieces, messageToJson } from './message-json.ts';
import { instantSeries, metricsRest } from './metrics-answer.ts';
import { metricsParameters, metricsRequest } from './metrics-request.ts';
import { NOTHING_READ } from './nothing-read.ts';
import { parametersOf } from './parameters.ts';
import { partialReason } from './partial.ts';
import { answerResponse, type QueryRoutesOptions, runQuery } from './route-options.ts';
import { INSTANT_SERIES, QUERY_RANGE_RESPONSE } from './tempopb.ts';

const RANGE_PATH = '/api/metrics/query_range';
const INSTANT_PATH = '/api/metrics/query';

/** TraceQL metrics: values over a range, and one value for a range. Always JSON, as in Tempo. */
export function addMetricsRoutes(app: Hono, options: QueryRoutesOptions, context: RouteContext): string[] {
  for (const [path, instant] of [
    [RANGE_PATH, false],
    [INSTANT_PATH, true],
  ] as const) {
    addRoute(
      app,
      {
        path,
        methods: ['GET', 'POST'],
        timeoutMs: options.timeoutMs,
        handle: (c, signal) => answer(c, { instant, signal, options, context }),
      },
      context,
    );
  }
  return [RANGE_PATH, INSTANT_PATH];
}

async function answer(
  c: Context,
  {
    instant,
    signal,
    options,
    context,
  }: { instant: boolean; signal: AbortSignal; options: QueryRoutesOptions; context: RouteContext },
): Promise<Response> {
  const parameters = parametersOf(c.req.url);
  const given = metricsParameters(parameters, instant);
  const { range, ...request } = metricsRequest(given, options.metrics, context.clock.nowMs());
  const last = await runQuery(options, c.req.header('x-scope-orgid'), (engine) =>
    lastPart(engine.metrics({ ...request, ...range, signal }), signal),
  );
  const partial = partialReason(last.problems, parameters.get('partial') === 'true');
  const pieces = metricsPieces(last, request.maxSeries, instant);
  return answerResponse(c, JSON_TYPE, pieces, { partial, context });
}

/** The JSON of an answer in pieces. */
export function metricsPieces(last: MetricsPart, maxSeries: number, instant: boolean): Iterable<Uint8Array> {
  const { metrics, status, message } = QUERY_RANGE_RESPONSE;
  const rest = messageToJson({ metrics, status, message }, metricsRest(last, maxSeries));
  return instant
    ? listToJsonPieces('series', INSTANT_SERIES, instantSeries(last.series), { rest, omitEmpty: true })
    : listOfJsonPieces('series', last.series, seriesJson, { rest, omitEmpty: true });
}

/** The last part of an answer: each holds all that the ones before it did. */
async function lastPart(parts: AsyncIterable<MetricsPart>, signal: AbortSignal): Promise<MetricsPart> {
  let last: MetricsPart = { series: [], stats: NOTHING_READ, problems: [], truncated: false };
  for await (const part of parts) {
    signal.throwIfAborted();
    last = part;
  }
  signal.throwIfAborted();
  return last;
}
