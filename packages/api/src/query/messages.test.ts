import type { KeyValue } from '@vivace/block-query';
import { describe, expect, test } from 'vitest';
import { decodeTempopb } from '../testing/tempopb-schema.ts';
import type { Schema } from './message.ts';
import { listToJsonPieces, messageToJson } from './message-json.ts';
import { messageToProto } from './message-proto.ts';
import {
  QUERY_INSTANT_RESPONSE,
  QUERY_RANGE_RESPONSE,
  SEARCH_RESPONSE,
  type SearchMetrics,
  TAG_VALUES_RESPONSE,
  TAG_VALUES_V2_RESPONSE,
  TAGS_RESPONSE,
  TAGS_V2_RESPONSE,
} from './tempopb.ts';

const attributes: KeyValue[] = [
  { key: 'text', value: { stringValue: '' } },
  { key: 'int', value: { intValue: -9_007_199_254_740_993n } },
  { key: 'zero', value: { intValue: 0n } },
  { key: 'double', value: { doubleValue: 0.5 } },
  { key: 'no', value: { boolValue: false } },
];
const metrics: SearchMetrics = {
  inspectedTraces: 1,
  inspectedBytes: 2 ** 40,
  totalBlocks: 3,
  completedJobs: 4,
  totalJobs: 4_294_967_295,
  totalBlockBytes: 6,
  inspectedSpans: 7,
};
const metadata = { inspectedBytes: 1, totalJobs: 2, completedJobs: 3, totalBlocks: 4, totalBlockBytes: 5 };
const spanSet = {
  spans: [
    { spanID: '00000000000000a2', name: 'call', startTimeUnixNano: 2n ** 63n, durationNanos: 50n, attributes },
    { spanID: '00000000000000a3', startTimeUnixNano: 1n, durationNanos: 0n, attributes: [] },
  ],
  matched: 200,
  attributes,
};

/** Both forms of a message, the protobuf one through the decoder of another implementation. */
function forms<T extends object>(type: string, schema: Schema<T>, message: T): [unknown, unknown] {
  return [JSON.parse(messageToJson(schema, message)), decodeTempopb(type, messageToProto(schema, message))];
}

describe('a message', () => {
  test('of a search says the same in JSON and in protobuf', () => {
    const [json, proto] = forms('SearchResponse', SEARCH_RESPONSE, {
      traces: [
        {
          traceID: 'abc',
          rootServiceName: 'Grüße \u{1f6d2}',
          rootTraceName: 'GET "/"',
          startTimeUnixNano: 1_795_226_252_234_981_743n,
          durationMs: 100,
          spanSet,
          spanSets: [spanSet, spanSet],
          serviceStats: new Map([
            ['__proto__', { spanCount: 300, errorCount: 1 }],
            ['b', { spanCount: 0, errorCount: 0 }],
          ]),
        },
      ],
      metrics,
    });
    expect(json).toEqual(proto);
    expect(JSON.stringify(json)).toContain('"__proto__":{"spanCount":300,"errorCount":1}');
    expect(JSON.stringify(json)).toContain('"startTimeUnixNano":"1795226252234981743"');
  });

  test.each([
    ['SearchTagsResponse', TAGS_RESPONSE, { tagNames: ['a', ''], metrics: metadata }],
    ['SearchTagsV2Response', TAGS_V2_RESPONSE, { scopes: [{ name: 'span', tags: ['b'] }], metrics: metadata }],
    ['SearchTagValuesResponse', TAG_VALUES_RESPONSE, { tagValues: ['c'], metrics: metadata }],
    [
      'SearchTagValuesV2Response',
      TAG_VALUES_V2_RESPONSE,
      { tagValues: [{ type: 'keyword', value: 'error' }], metrics: metadata },
    ],
    [
      'QueryRangeResponse',
      QUERY_RANGE_RESPONSE,
      {
        series: [
          {
            labels: attributes,
            samples: [
              { timestampMs: 1_795_226_220_000n, value: 0.25 },
              { timestampMs: 1n, value: -3 },
            ],
            exemplars: [{ labels: attributes, value: 1e300, timestampMs: 5n }],
          },
        ],
        metrics,
        status: 'PARTIAL',
        message: 'less',
      },
    ],
    [
      'QueryInstantResponse',
      QUERY_INSTANT_RESPONSE,
      { series: [{ labels: attributes, value: 2 }], metrics, status: 'PARTIAL', message: 'less' },
    ],
  ] as [string, Schema<object>, object][])('%s says the same in JSON and in protobuf', (type, schema, message) => {
    const [json, proto] = forms(type, schema, message);
    expect(json).toEqual(proto);
  });

  test('leaves out what has its default, but lists that clients expect', () => {
    const empty = { inspectedBytes: 0, totalJobs: 0, completedJobs: 0, totalBlocks: 0, totalBlockBytes: 0 };
    expect(messageToJson(TAGS_RESPONSE, { tagNames: [], metrics: empty })).toBe('{"tagNames":[],"metrics":{}}');
    expect(messageToProto(TAGS_RESPONSE, { tagNames: [], metrics: empty })).toEqual(new Uint8Array([0x12, 0]));
    expect(
      messageToJson(QUERY_RANGE_RESPONSE, {
        series: [{ labels: [], samples: [{ timestampMs: 5n, value: 0 }], exemplars: [] }],
        metrics: { ...metrics, inspectedBytes: 0 },
        status: 'COMPLETE',
        message: '',
      }),
    ).toContain('{"series":[{"samples":[{"timestampMs":"5"}]}],"metrics":{"inspectedTraces":1,"totalBlocks":3,');
  });

  test('writes doubles that JSON has no numbers for as strings', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const message = { series: [{ labels: [], value }], metrics, status: 'COMPLETE' as const, message: '' };
      const [json, proto] = forms('QueryInstantResponse', QUERY_INSTANT_RESPONSE, message);
      expect(json).toEqual(proto);
      expect(json).toMatchObject({ series: [{ value: String(value) }] });
    }
  });
});

test('a list in pieces is the same message', () => {
  const schema: Schema<{ a: string }> = { a: { number: 1, type: 'string' } };
  const join = (items: { a: string }[], rest: string, omitEmpty = false) =>
    Buffer.concat([...listToJsonPieces('list', schema, items, { rest, omitEmpty })]).toString();
  expect(join([], '{}')).toBe('{"list":[]}');
  expect(join([], '{"m":1}')).toBe('{"list":[],"m":1}');
  expect(join([], '{"m":1}', true)).toBe('{"m":1}');
  expect(join([{ a: 'x' }, { a: '' }], '{"m":1}')).toBe('{"list":[{"a":"x"},{}],"m":1}');
  expect(join([{ a: 'x' }], '{}')).toBe('{"list":[{"a":"x"}]}');
});
