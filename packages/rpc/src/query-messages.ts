import { packMatches, type Question, type SearchResult, unpackMatches } from '@vivace/block-query';
import { dataError } from '@vivace/kernel';
import { type Filter, parse, parseField, parseLenient, printQuery, printStage } from '@vivace/traceql';

export const FIND = '/vivace.v1.Query/Find';
export const QUERY = '/vivace.v1.Query/Query';
export const SEARCH = '/vivace.v1.Query/Search';

export interface FindRequest {
  tenant: string;
  id: Uint8Array;
  startSeconds?: number;
  endSeconds?: number;
  maxBytes: number;
}

/** What a querier has found of a trace; as `TraceAnswer` of the API. */
export interface FindAnswer {
  trace: Uint8Array;
  complete: boolean;
  problems: string[];
  truncated: boolean;
  inspectedBytes: number;
}

export interface RemoteRange {
  startUnixNano: bigint;
  endUnixNano: bigint;
}

export interface QueryRequest {
  tenant: string;
  range: RemoteRange;
  question: RemoteQuestion;
}

/** An answer of a querier, of any kind; the matches of a search are one text, unless they are written already. */
export interface RemoteAnswer {
  result: unknown;
  problems: string[];
  inspectedBytes: number;
  blocks: number;
  blockBytes: number;
}

/** A question whose queries are text again: who gets it parses it, and trusts nobody's syntax tree. */
export type RemoteQuestion = {
  [Kind in Question['kind']]: { kind: Kind } & Texts<Extract<Question, { kind: Kind }>['request']>;
}[Question['kind']];

/** Queries, filters and fields as text; what is undefined is left out. */
type Texts<Request> = {
  [Key in keyof Request]: Key extends 'query' | 'filter' | 'field' ? string | undefined : Request[Key];
};

export function packQuestion({ kind, request }: Question): RemoteQuestion {
  switch (kind) {
    case 'search':
    case 'metrics':
      return { kind, ...request, query: printQuery(request.query) } as RemoteQuestion;
    case 'tags':
      return { kind, ...request, filter: printFilter(request.filter) };
    case 'tagValues':
      return { kind, ...request, filter: printFilter(request.filter), field: request.field.text };
  }
}

/** Throws `invalid` where a query is none. */
export function unpackQuestion(packed: RemoteQuestion): Question {
  const { kind } = packed;
  switch (kind) {
    case 'search': {
      const { query, startUnixNano, endUnixNano, limit, spansPerSpanset, after } = packed;
      const range = { startUnixNano, endUnixNano };
      const written = packed.written && { spansets: packed.written.spansets };
      return { kind, request: { query: parse(textOf(query)), ...range, limit, spansPerSpanset, after, written } };
    }
    case 'metrics': {
      const { kind: _, query, ...rest } = packed;
      return { kind, request: { ...rest, query: parse(textOf(query)) } };
    }
    case 'tags':
      return { kind, request: { scope: packed.scope, filter: parseFilter(packed.filter), limit: packed.limit } };
    case 'tagValues': {
      const field = parseField(textOf(packed.field));
      return { kind, request: { field, filter: parseFilter(packed.filter), limit: packed.limit } };
    }
    default:
      throw dataError('query-request', `there is no question of the kind ${JSON.stringify(kind)}`);
  }
}

export function packSearchAnswer<Answer extends { result: SearchResult }>(answer: Answer): RemoteAnswer {
  const { result } = answer;
  return { ...(answer as RemoteAnswer & Answer), result: { ...result, traces: packMatches(result.traces) } };
}

export function unpackSearchAnswer(answer: RemoteAnswer): RemoteAnswer & { result: SearchResult } {
  const result = answer.result as Omit<SearchResult, 'traces'> & { traces: string };
  return { ...answer, result: { ...result, traces: unpackMatches(result.traces) } };
}

function printFilter(filter: Filter | undefined): string | undefined {
  return filter && printStage(filter);
}

function parseFilter(text: string | undefined): Filter | undefined {
  return text === undefined ? undefined : parseLenient(textOf(text));
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw dataError('query-request', 'a query is a text');
  return value;
}
