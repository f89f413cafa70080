import {
  type DurationBounds,
  durationBounds,
  parse,
  parseTags,
  type Query,
  type Tags,
  tagQuery,
} from '@vivace/traceql';
import type { SearchOptions } from '../query-engine.ts';
import {
  checkCursor,
  checkQueryLength,
  countParameter,
  invalidParameter,
  type Parameters,
  told,
  wholeNumber,
} from './parameters.ts';
import { type GivenSeconds, SEARCH_WINDOW, secondsParameters, sinceNanos, windowOf } from './time-window.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 262_144;
const DEFAULT_SPANS = 3;
const MAX_SPANS = 100;
const MAX_TAGS = 100;

/** What a client gave; undefined: not given. */
export interface GivenSearch extends GivenSeconds {
  q: string | undefined;
  /** The search from before TraceQL. */
  tags: Tags | undefined;
  duration: DurationBounds;
  limit: number | undefined;
  spansPerSpanset: number | undefined;
  sinceNanos?: bigint | undefined;
  cursor: string | undefined;
}

export interface SearchRequest extends Omit<SearchOptions, 'signal'> {
  /** Off for a search by tags: its answers have only the facts of traces. */
  spansets: boolean;
}

/** Parameters with a meaning of their own; all others were tags before there were `tags`. */
const NAMES = new Set(
  'q tags start end since minDuration maxDuration limit spss cursor partial skip_ast_transformations'.split(' '),
);

/** The parameters of `/api/search`. */
export function searchParameters(parameters: Parameters): GivenSearch {
  const q = parameters.get('q');
  const since = parameters.get('since');
  return {
    q,
    tags: tagsParameter(parameters),
    duration: durationBounds(parameters.get('minDuration'), parameters.get('maxDuration')),
    limit: limitParameter(parameters.get('limit')),
    spansPerSpanset: countParameter(parameters, 'spss', { max: Number.MAX_SAFE_INTEGER, fallback: DEFAULT_SPANS }),
    ...secondsParameters(parameters),
    sinceNanos: since === undefined ? undefined : sinceNanos(since),
    cursor: parameters.get('cursor'),
  };
}

/** Checks and completes what was given. Throws `invalid` for what cannot be answered. */
export function searchRequest(given: GivenSearch, nowMs: number): SearchRequest {
  if (given.q !== undefined && given.tags !== undefined) {
    throw invalidParameter(
      "invalid request: can't specify tags and q in the same query",
      'give the tags as conditions of q: { .key = "value" }',
    );
  }
  if (given.tags !== undefined && given.tags.size > MAX_TAGS) {
    throw invalidParameter(
      `too many tags: max ${MAX_TAGS}, received ${given.tags.size}`,
      'write the search as a query: q={ … }',
    );
  }
  const limit = given.limit ?? DEFAULT_LIMIT;
  if (limit > MAX_LIMIT) {
    throw invalidParameter(
      `limit ${limit} exceeds max limit ${MAX_LIMIT}`,
      'ask for less, and for more with the cursor of the answer',
    );
  }
  const spansPerSpanset = given.spansPerSpanset ?? DEFAULT_SPANS;
  if (spansPerSpanset > MAX_SPANS) {
    throw invalidParameter(
      `spans per span set exceeds ${MAX_SPANS}. received ${spansPerSpanset}`,
      'ask for less, for all with spss=0, or read the trace by its id',
    );
  }
  const window = given.sinceNanos === undefined ? SEARCH_WINDOW : { ...SEARCH_WINDOW, defaultNanos: given.sinceNanos };
  return {
    query: given.q === undefined ? tagQuery(given.tags ?? new Map(), given.duration) : spansOf(given.q),
    spansets: given.q !== undefined,
    limit,
    spansPerSpanset,
    cursor: checkCursor(given.cursor),
    ...windowOf(given, window, nowMs),
  };
}

/** Of a metrics query the spans that it counts. */
function spansOf(q: string): Query {
  return { ...parse(checkQueryLength(q)), metrics: undefined, secondStages: [] };
}

function tagsParameter(parameters: Parameters): Tags | undefined {
  const text = parameters.get('tags');
  if (text !== undefined) return parseTags(text);
  if (['q', 'start', 'end'].some((name) => parameters.get(name) !== undefined)) return undefined;
  const others = new Map<string, string>();
  for (const [name, value] of parameters.entries()) if (!NAMES.has(name)) others.set(name, value);
  return others.size === 0 ? undefined : others;
}

function limitParameter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = wholeNumber(text);
  if (limit === undefined || limit === 0) {
    throw invalidParameter(
      `invalid limit: must be a positive number${text === '0' ? '' : `, received '${told(text)}'`}`,
      `write a number from 1 to ${MAX_LIMIT}`,
    );
  }
  return limit;
}
