import { toVivaceError } from '@vivace/kernel';
import { type Field, parseField, parseLenient } from '@vivace/traceql';
import type { TagScope, TagsOptions, TagValuesOptions } from '../query-engine.ts';
import { checkQueryLength, countParameter, invalidParameter, type Parameters, told } from './parameters.ts';
import { TAG_WINDOW, windowParameters } from './time-window.ts';

/** Names and values of one answer; more are cut. */
const MAX_TAGS = 100_000;

const SCOPES: readonly TagScope[] = ['resource', 'span', 'intrinsic', 'event', 'link', 'instrumentation'];

export type ScopeAsked = TagScope | 'all' | 'trace';

export type TagsRequest = Omit<TagsOptions, 'signal' | 'scope'> & { scope: ScopeAsked };
export type TagValuesRequest = Omit<TagValuesOptions, 'signal'>;

/** Older clients name tags without a scope and these intrinsics by names of their own. */
const OLD_NAMES: ReadonlyMap<string, string> = new Map([
  ['root.service.name', 'trace:rootService'],
  ['root.name', 'trace:rootName'],
  ['status.code', 'status'],
]);

/** The parameters of a list of tags; version 1 of the endpoint has no `q`. */
export function tagsParameters(parameters: Parameters, version: 1 | 2, nowMs: number): TagsRequest {
  return {
    scope: scopeOf(parameters.get('scope') ?? ''),
    filter: version === 1 ? undefined : filterOf(parameters.get('q') ?? ''),
    limit: limitParameter(parameters),
    ...windowParameters(parameters, TAG_WINDOW, nowMs),
  };
}

/** The parameters of a list of values. Everything else, like the `tag` that Grafana repeats, is ignored. */
export function tagValuesParameters(
  parameters: Parameters,
  { tag, version, nowMs }: { tag: string; version: 1 | 2; nowMs: number },
): TagValuesRequest {
  return {
    field: version === 1 ? oldFieldOf(tag) : fieldOf(tag),
    filter: version === 1 ? undefined : filterOf(parameters.get('q') ?? ''),
    limit: limitParameter(parameters),
    ...windowParameters(parameters, TAG_WINDOW, nowMs),
  };
}

/** Throws for what is no scope. `trace` is one that nothing is stored in. */
export function scopeOf(text: string): ScopeAsked {
  if (text === '' || text === 'none') return 'all';
  if (text === 'trace') return text;
  const scope = SCOPES.find((candidate) => candidate === text);
  if (scope === undefined) {
    throw invalidParameter(`invalid scope: ${told(text)}`, `write one of ${SCOPES.join(', ')}, or none for all`);
  }
  return scope;
}

/** What is being written in an editor is seldom a whole query: what can be read of it filters, the rest does not. */
export function filterOf(query: string): TagsOptions['filter'] {
  return query === '' ? undefined : parseLenient(checkQueryLength(query));
}

/** The field of a tag as TraceQL writes it. */
export function fieldOf(tag: string): Field {
  checkTag(tag);
  try {
    return parseField(tag);
  } catch (cause) {
    const reason = toVivaceError(cause).message.replace(/^invalid TraceQL query: /, '');
    throw invalidParameter(
      `please provide a valid tagName: failed to parse identifier ${told(tag)}: ${reason}`,
      'write the tag as in a query: resource.service.name, span.http.method, .any, name or span:name',
    );
  }
}

/** The field of a tag of version 1: as in a query, or the bare name of an attribute. */
export function oldFieldOf(tag: string): Field {
  checkTag(tag);
  const name = OLD_NAMES.get(tag) ?? tag;
  try {
    return parseField(name);
  } catch {
    return parseField(`."${name.replaceAll(/[\\"]/g, String.raw`\$&`)}"`);
  }
}

function checkTag(tag: string): void {
  if (tag === '')
    throw invalidParameter('please provide a non-empty tagName', 'name a tag: /api/search/tag/{tag}/values');
}

function limitParameter(parameters: Parameters): number {
  return countParameter(parameters, 'limit', { max: 0xffffffff, fallback: 0 });
}

/** A limit as the engine is asked for it: 0 is as many as there may be in one answer. */
export function boundedLimit(limit: number): number {
  return limit === 0 ? MAX_TAGS : Math.min(limit, MAX_TAGS);
}

/** What to say of an answer of `count` that may have been cut although nobody asked for it; undefined: nothing. */
export function cutAt(limit: number, count: number, truncated = false): string | undefined {
  if (truncated) return 'not everything fits into the list: set a filter';
  const asked = limit > 0 && limit <= MAX_TAGS;
  return asked || count < MAX_TAGS ? undefined : `only the first ${MAX_TAGS} are listed: set a filter`;
}
