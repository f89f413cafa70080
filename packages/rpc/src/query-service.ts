import type { Question, ResultOf, SearchRequest, SearchResult } from '@vivace/block-query';
import { checkTenant, dataError } from '@vivace/kernel';
import type { Call, CallMethod } from './calls/serve-calls.ts';
import { decodeParcel, encodeParcel } from './parcel.ts';
import {
  FIND,
  type FindAnswer,
  type FindRequest,
  packSearchAnswer,
  QUERY,
  type QueryRequest,
  type RemoteAnswer,
  type RemoteRange,
  SEARCH,
  unpackQuestion,
} from './query-messages.ts';

/** What a querier answers for processes that have none. */
export interface QueryServing {
  findTrace(
    tenant: string,
    id: Uint8Array,
    options: { startSeconds?: number; endSeconds?: number; maxBytes: number; signal: AbortSignal },
  ): Promise<FindAnswer>;
  query<Asked extends Exclude<Question, { kind: 'search' }>>(
    tenant: string,
    question: Asked,
    range: RemoteRange,
    signal: AbortSignal,
  ): Promise<RemoteAnswer & { result: ResultOf[Asked['kind']] }>;
  search(
    tenant: string,
    request: SearchRequest,
    range: RemoteRange,
    signal: AbortSignal,
  ): AsyncIterable<RemoteAnswer & { result: SearchResult }>;
}

/** The service Query of proto/parcel.proto. */
export function queryMethods(querier: QueryServing): Map<string, CallMethod> {
  return new Map([
    [
      FIND,
      async ({ message, signal, send }: Call) => {
        const { tenant, id, ...options } = decodeParcel(message) as FindRequest;
        checkTenant(tenant);
        if (!(id instanceof Uint8Array) || id.length !== 16 || typeof options.maxBytes !== 'number') {
          throw dataError('query-request', 'the request for a trace is not one of ours');
        }
        await send(encodeParcel(await querier.findTrace(tenant, id, { ...options, signal })));
      },
    ],
    [
      QUERY,
      async ({ message, signal, send }: Call) => {
        const { tenant, range, question } = decodeRequest(message);
        if (question.kind === 'search') throw dataError('query-request', 'a search has a method of its own');
        await send(encodeParcel(await querier.query(tenant, question, range, signal)));
      },
    ],
    [
      SEARCH,
      async ({ message, signal, send }: Call) => {
        const { tenant, range, question } = decodeRequest(message);
        if (question.kind !== 'search') throw dataError('query-request', 'this is not a search');
        for await (const answer of querier.search(tenant, question.request, range, signal)) {
          await send(encodeParcel(packSearchAnswer(answer)));
        }
      },
    ],
  ]);
}

function decodeRequest(message: Uint8Array): Omit<QueryRequest, 'question'> & { question: Question } {
  const { tenant, range, question } = decodeParcel(message) as QueryRequest;
  checkTenant(tenant);
  if (typeof range?.startUnixNano !== 'bigint' || typeof range.endUnixNano !== 'bigint' || question === undefined) {
    throw dataError('query-request', 'the request for a query is not one of ours');
  }
  return { tenant, range, question: unpackQuestion(question) };
}
