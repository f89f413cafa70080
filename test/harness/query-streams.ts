import * as grpc from '@grpc/grpc-js';
import { decodeTempopb, encodeTempopb } from '@vivace/api/testing';
import type { TestServer } from './server.ts';

/** The calls of `tempopb.StreamingQuerier`, with the names of their messages. */
const CALLS = {
  Search: ['SearchRequest', 'SearchResponse'],
  MetricsQueryRange: ['QueryRangeRequest', 'QueryRangeResponse'],
  MetricsQueryInstant: ['QueryInstantRequest', 'QueryInstantResponse'],
  SearchTagsV2: ['SearchTagsRequest', 'SearchTagsV2Response'],
  SearchTagValuesV2: ['SearchTagValuesRequest', 'SearchTagValuesV2Response'],
} as const;

interface Streamed {
  messages: Record<string, unknown>[];
  trailers: Record<string, unknown>;
}

/** A client of the gRPC library that Collectors and Grafana's kin use, on the HTTP port of a server. */
export interface QueryStreams {
  /** A whole call; rejects as the library does. */
  call(method: keyof typeof CALLS, request: object, metadata?: Record<string, string>): Promise<Streamed>;
  /** Cancels a call when `signal` aborts; resolves with the code that it ends with. */
  cancel(method: keyof typeof CALLS, request: object, signal: AbortSignal): Promise<number>;
  close(): void;
}

export function openQueryStreams(server: TestServer): QueryStreams {
  const client = new grpc.Client(server.http.slice('http://'.length), grpc.credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  const open = (method: keyof typeof CALLS, request: object, metadata: Record<string, string>) => {
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    const message = encodeTempopb(CALLS[method][0], request);
    return client.makeServerStreamRequest(`/tempopb.StreamingQuerier/${method}`, same, same, message, sent);
  };
  return {
    call: async (method, request, metadata = {}) => {
      const stream = open(method, request, metadata);
      const ended = new Promise<grpc.StatusObject>((resolve) => stream.on('status', resolve));
      const messages: Streamed['messages'] = [];
      for await (const bytes of stream) messages.push(decodeTempopb(CALLS[method][1], bytes as Buffer));
      return { messages, trailers: (await ended).metadata.getMap() };
    },
    cancel: async (method, request, signal) => {
      const stream = open(method, request, {});
      const ended = new Promise<number>((resolve) => {
        stream.on('error', () => undefined).on('status', ({ code }: grpc.StatusObject) => resolve(code));
      });
      stream.on('data', () => undefined);
      signal.addEventListener('abort', () => stream.cancel(), { once: true });
      return ended;
    },
    close: () => client.close(),
  };
}
