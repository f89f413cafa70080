import type { SearchResult } from '@vivace/block-query';
import type { CallChannel } from './calls/call-channel.ts';
import type { CallOptions } from './heads-client.ts';
import { decodeParcel, encodeParcel } from './parcel.ts';
import {
  FIND,
  type FindAnswer,
  type FindRequest,
  QUERY,
  type QueryRequest,
  type RemoteAnswer,
  SEARCH,
  unpackSearchAnswer,
} from './query-messages.ts';

export interface QueryClient {
  find(request: FindRequest, options: CallOptions): Promise<FindAnswer>;
  query(request: QueryRequest, options: CallOptions): Promise<RemoteAnswer>;
  search(request: QueryRequest, options: CallOptions): AsyncGenerator<RemoteAnswer & { result: SearchResult }>;
}

/** A page of matches, the series of a metric, or a list of values; a trace may be as large besides. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export function createQueryClient(channel: CallChannel): QueryClient {
  const call = (path: string, request: QueryRequest | FindRequest, { timeoutMs, signal }: CallOptions) => ({
    path,
    message: encodeParcel(request),
    timeoutMs,
    signal,
    maxAnswerBytes: MAX_ANSWER_BYTES + ('maxBytes' in request ? request.maxBytes : 0),
  });
  return {
    find: async (request, options) => decodeParcel(await channel.call(call(FIND, request, options))) as FindAnswer,
    query: async (request, options) => decodeParcel(await channel.call(call(QUERY, request, options))) as RemoteAnswer,
    search: async function* (request, options) {
      for await (const message of channel.stream(call(SEARCH, request, options))) {
        yield unpackSearchAnswer(decodeParcel(message) as RemoteAnswer);
      }
    },
  };
}
