import type { Context, Hono } from 'hono';
import { JSON_TYPE, PROTOBUF, wantsProtobuf } from '../accept.ts';
import { textResponse } from '../problem.ts';
import { addRoute, type RouteContext } from '../route.ts';
import type { Schema } from './message.ts';
import { messageToJson } from './message-json.ts';
import { messageToProto } from './message-proto.ts';
import { invalidParameter, parametersOf, told } from './parameters.ts';
import { partialReason } from './partial.ts';
import { answerResponse, type QueryRoutesOptions, runQuery } from './route-options.ts';
import { metadataMetrics, plainTagValues, typedTagValues } from './tag-answer.ts';
import { tagsParameters, tagValuesParameters } from './tag-request.ts';
import { findTags, findTagValues, tagNames } from './tags.ts';
import { TAG_VALUES_RESPONSE, TAG_VALUES_V2_RESPONSE, TAGS_RESPONSE, TAGS_V2_RESPONSE } from './tempopb.ts';

/** An answer, what could not be read, and why it is cut where that was not asked for. */
interface Answered {
  contentType: string;
  body: Uint8Array;
  problems: readonly string[];
  cut?: string | undefined;
}

type Asked = { c: Context; signal: AbortSignal; nowMs: number; options: QueryRoutesOptions };

const SUFFIX = '/values';
const PREFIXES = { 1: '/api/search', 2: '/api/v2/search' } as const;

/** The names of attributes and their values, in both versions of the endpoints. */
export function addTagRoutes(app: Hono, options: QueryRoutesOptions, context: RouteContext): string[] {
  const add = (path: string, handle: (asked: Asked) => Promise<Answered | undefined>) => {
    addRoute(
      app,
      {
        path,
        methods: ['GET', 'POST'],
        timeoutMs: options.timeoutMs,
        handle: async (c, signal) => {
          const answered = await handle({ c, signal, nowMs: context.clock.nowMs(), options });
          if (answered === undefined)
            return textResponse('404 page not found\nthe endpoints are listed at /status\n', 404);
          const partialIsEnough = parametersOf(c.req.url).get('partial') === 'true';
          const partial = partialReason(answered.problems, partialIsEnough) ?? answered.cut;
          return answerResponse(c, answered.contentType, [answered.body], { partial, context });
        },
      },
      context,
    );
  };
  for (const version of [1, 2] as const) {
    add(`${PREFIXES[version]}/tags`, (asked) => listTags(asked, version));
    // Names of tags may have slashes, so everything below is one route.
    add(`${PREFIXES[version]}/tag/*`, (asked) => listTagValues(asked, version));
  }
  return Object.values(PREFIXES).flatMap((prefix) => [`${prefix}/tags`, `${prefix}/tag/{tag}/values`]);
}

async function listTags({ c, signal, nowMs, options }: Asked, version: 1 | 2): Promise<Answered> {
  const request = tagsParameters(parametersOf(c.req.url), version, nowMs);
  const answer = await runQuery(options, c.req.header('x-scope-orgid'), (engine) => findTags(engine, request, signal));
  const metrics = metadataMetrics(answer.stats);
  const written =
    version === 1
      ? write(c, TAGS_RESPONSE, { tagNames: tagNames(request, answer), metrics })
      : write(c, TAGS_V2_RESPONSE, { scopes: answer.scopes, metrics });
  return { ...written, problems: answer.problems, cut: answer.cut };
}

async function listTagValues({ c, signal, nowMs, options }: Asked, version: 1 | 2): Promise<Answered | undefined> {
  const tag = tagOfPath(new URL(c.req.url).pathname, `${PREFIXES[version]}/tag/`);
  if (tag === undefined) return undefined;
  const request = tagValuesParameters(parametersOf(c.req.url), { tag, version, nowMs });
  const { values, stats, problems, cut } = await runQuery(options, c.req.header('x-scope-orgid'), (engine) =>
    findTagValues(engine, request, signal),
  );
  const metrics = metadataMetrics(stats);
  const written =
    version === 1
      ? write(c, TAG_VALUES_RESPONSE, { tagValues: plainTagValues(values), metrics })
      : write(c, TAG_VALUES_V2_RESPONSE, { tagValues: typedTagValues(values), metrics });
  return { ...written, problems, cut };
}

/** A message in the form that the client asks for. */
function write<T extends object>(c: Context, schema: Schema<T>, message: T): Pick<Answered, 'contentType' | 'body'> {
  return wantsProtobuf(c)
    ? { contentType: PROTOBUF, body: messageToProto(schema, message) }
    : { contentType: JSON_TYPE, body: Buffer.from(messageToJson(schema, message)) };
}

/**
 * The tag in a path; undefined for a path that is not one of values. Older Grafanas encode the name twice: what
 * is left after decoding once is decoded again if it is exactly what encoding gives.
 */
export function tagOfPath(path: string, prefix: string): string | undefined {
  const rest = path.slice(prefix.length - 1);
  if (!rest.endsWith(SUFFIX)) return undefined;
  const once = decode(rest.slice(1, Math.max(1, rest.length - SUFFIX.length)));
  if (!/%[0-9A-F]{2}/.test(once)) return once;
  try {
    const twice = decodeURIComponent(once);
    return encodeURIComponent(twice) === once ? twice : once;
  } catch {
    return once;
  }
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw invalidParameter(
      `please provide a valid tagName: ${told(encoded)} is not percent-encoded as it should be`,
      'encode the name of the tag as a part of a URL',
    );
  }
}
