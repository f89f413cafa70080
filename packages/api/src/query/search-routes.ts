import { AttributeTypes, searchTraceJson } from '@vivace/block-query';
import type { Context, Hono } from 'hono';
import { JSON_TYPE, PROTOBUF, wantsProtobuf } from '../accept.ts';
import { addRoute, type RouteContext } from '../route.ts';
import { listOfJsonPieces, messageToJson, writtenListPieces } from './message-json.ts';
import { messageToProto } from './message-proto.ts';
import { parametersOf } from './parameters.ts';
import { CURSOR_HEADER, partialReason } from './partial.ts';
import { answerResponse, type QueryRoutesOptions, runQuery } from './route-options.ts';
import { searchMetrics, searchTrace } from './search-answer.ts';
import { gatherSearch, type WholeSearch } from './search-parts.ts';
import { searchParameters, searchRequest } from './search-request.ts';
import { SEARCH_RESPONSE, type SearchTrace } from './tempopb.ts';

const PATH = '/api/search';

/** `/api/search`: traces that match a query, newest first. */
export function addSearchRoutes(app: Hono, options: QueryRoutesOptions, context: RouteContext): string[] {
  addRoute(
    app,
    {
      path: PATH,
      methods: ['GET', 'POST'],
      timeoutMs: options.timeoutMs,
      handle: (c, signal) => answer(c, signal, options, context),
    },
    context,
  );
  return [PATH];
}

async function answer(
  c: Context,
  signal: AbortSignal,
  options: QueryRoutesOptions,
  context: RouteContext,
): Promise<Response> {
  const parameters = parametersOf(c.req.url);
  const { spansets, ...request } = searchRequest(searchParameters(parameters), context.clock.nowMs());
  const protobuf = wantsProtobuf(c);
  const written = protobuf ? undefined : { spansets };
  const found = await runQuery(options, c.req.header('x-scope-orgid'), (engine) =>
    gatherSearch(engine.search({ ...request, written, signal }), signal),
  );
  const partial = partialReason(found.problems, parameters.get('partial') === 'true');
  const pieces = protobuf ? protoPieces(found, spansets) : searchPieces(found, spansets);
  const response = await answerResponse(c, protobuf ? PROTOBUF : JSON_TYPE, pieces, { partial, context });
  if (found.cursor !== undefined) response.headers.set(CURSOR_HEADER, found.cursor);
  return response;
}

/** The JSON of an answer in pieces. */
export function searchPieces(found: WholeSearch, spansets: boolean): Iterable<Uint8Array> {
  const { metrics } = SEARCH_RESPONSE;
  const rest = messageToJson({ metrics }, { metrics: searchMetrics(found.stats) });
  if (found.written !== undefined) return writtenListPieces('traces', found.written.json, { rest });
  const types = settledTypes(found);
  return listOfJsonPieces('traces', found.traces, (trace) => searchTraceJson(trace, { types, spansets }), { rest });
}

/** Fields of a message may come in pieces, one after another. */
function* protoPieces(found: WholeSearch, spansets: boolean): Generator<Uint8Array> {
  const { traces, metrics } = SEARCH_RESPONSE;
  for (const trace of messagesOf(found, spansets)) yield messageToProto({ traces }, { traces: [trace] });
  yield messageToProto({ metrics }, { metrics: searchMetrics(found.stats) });
}

function* messagesOf(found: WholeSearch, spansets: boolean): Generator<SearchTrace> {
  const types = settledTypes(found);
  for (const trace of found.traces) yield searchTrace(trace, { types, spansets });
}

function settledTypes({ traces }: WholeSearch): AttributeTypes {
  const types = new AttributeTypes();
  types.settle(traces);
  return types;
}
