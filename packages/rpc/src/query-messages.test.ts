import { type Question, type SearchResult, writeTraces } from '@vivace/block-query';
import { randomMetricsQuery, randomQuery } from '@vivace/block-query/testing';
import { seededRandom } from '@vivace/kernel';
import { parse, parseField, parseLenient, printQuery, printStage } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { decodeParcel, encodeParcel } from './parcel.ts';
import {
  packQuestion,
  packSearchAnswer,
  type RemoteAnswer,
  type RemoteQuestion,
  unpackQuestion,
  unpackSearchAnswer,
} from './query-messages.ts';

function sent(question: Question): Question {
  return unpackQuestion(decodeParcel(encodeParcel(packQuestion(question))) as RemoteQuestion);
}

test('a query crosses as text and means the same', () => {
  const random = seededRandom(7);
  for (let i = 0; i < 300; i++) {
    const range = { startUnixNano: 1n, endUnixNano: (1n << 63n) - 1n };
    const after = i % 2 === 0 ? undefined : { startUnixNano: 5n, traceId: new Uint8Array(16).fill(i) };
    const written = i % 3 === 0 ? { spansets: i % 2 === 0 } : undefined;
    const search = { query: randomQuery(random), ...range, limit: 20, spansPerSpanset: 3, after, written };
    const found = sent({ kind: 'search', request: search });
    expect(found.kind === 'search' && { ...found.request, query: printQuery(found.request.query) }).toEqual({
      ...search,
      query: printQuery(search.query),
    });
    const metrics = { query: randomMetricsQuery(random), ...range, stepNanos: 60n, exemplars: 1, maxSeries: 0 };
    const asked = sent({ kind: 'metrics', request: metrics });
    expect(asked.kind === 'metrics' && { ...asked.request, query: printQuery(asked.request.query) }).toEqual({
      ...metrics,
      query: printQuery(metrics.query),
    });
  }
});

test('traces of a search cross as they are, or as they were written', () => {
  const match = {
    traceId: new Uint8Array(16).fill(7),
    root: { service: 'shop', name: 'GET /' },
    startUnixNano: 1n << 60n,
    durationNanos: 5n,
    services: new Map([['shop', { spanCount: 1, errorCount: 0 }]]),
    spansets: [],
  };
  const rest = { problems: ['one'], inspectedBytes: 1, blocks: 2, blockBytes: 3 };
  const written = writeTraces([match, match], { spansets: true });
  expect(written?.count).toBe(2);
  const facts = { more: true, unsettled: false, inspectedSpans: 5, inspectedTraces: 2 };
  const results: SearchResult[] = [
    { traces: [match], ...facts },
    { traces: [], written, ...facts },
  ];
  for (const result of results) {
    const answer = { ...rest, result };
    const crossed = decodeParcel(encodeParcel(packSearchAnswer(answer))) as RemoteAnswer;
    expect(unpackSearchAnswer(crossed)).toEqual(answer);
  }
});

test('questions for names and values keep their filters and fields', () => {
  const filter = parseLenient('{ .a = "x" && duration > 5ms }');
  for (const field of ['.a', 'resource.service.name', 'name', 'span.with space', 'event:name']) {
    const values = sent({ kind: 'tagValues', request: { field: parseField(field), filter, limit: 9 } });
    expect(
      values.kind === 'tagValues' && [
        values.request.field.text,
        values.request.filter && printStage(values.request.filter),
      ],
    ).toEqual([parseField(field).text, filter && printStage(filter)]);
  }
  const tags = sent({ kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } });
  expect(tags).toEqual({ kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } });
});

test('a query that is none is refused, and so is a question that is none', () => {
  const packed = packQuestion({
    kind: 'search',
    request: {
      query: parse('{ }'),
      startUnixNano: 0n,
      endUnixNano: 1n,
      limit: 1,
      spansPerSpanset: 0,
      after: undefined,
    },
  });
  expect(() => unpackQuestion({ ...packed, query: '{ oh' } as RemoteQuestion)).toThrow();
  expect(() => unpackQuestion({ ...packed, query: 7 } as never)).toThrow('a query is a text');
  expect(() => unpackQuestion({ kind: 'sum' } as never)).toThrow('no question of the kind');
});
