import {
  type AnswerValue,
  AttributeTypes,
  type Series,
  type SpanAnswer,
  searchTraceJson,
  seriesJson,
  type TraceMatch,
} from '@vivace/block-query';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageToJson } from './message-json.ts';
import { rangeSeries } from './metrics-answer.ts';
import { searchTrace } from './search-answer.ts';
import { SEARCH_TRACE, SERIES } from './tempopb.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '__proto__', '\ud800', '"\\', '\u2028'));
const time = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 1n, 999_999n));
const int = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(0n));
const float = fc.oneof(fc.double(), fc.constantFrom(0, -0, 0.1, Number.NaN, Infinity, -Infinity));
const value = fc.oneof(
  fc.record({ type: fc.constant('nil') }),
  fc.record({ type: fc.constant('string'), value: text }),
  fc.record({ type: fc.constant('int'), value: int }),
  fc.record({ type: fc.constant('duration'), value: int }),
  fc.record({ type: fc.constant('float'), value: float }),
  fc.record({ type: fc.constant('bool'), value: fc.boolean() }),
  fc.record({ type: fc.constant('status'), value: fc.constantFrom('unset', 'ok', 'error') }),
  fc.record({ type: fc.constant('kind'), value: fc.constantFrom('unspecified', 'server', 'client') }),
  fc.record({ type: fc.constant('other'), text }),
  fc.record({ type: fc.constant('array'), values: fc.constant([{ type: 'string', value: 'x' }]) }),
) as fc.Arbitrary<AnswerValue>;
// Few keys: that some have values of several types decides how they are written.
const key = fc.oneof(fc.constantFrom('', 'a', 'b', 'c'), text);
const attributes = fc.array(fc.record({ key, value }), { maxLength: 3 });
const count = fc.oneof(fc.constantFrom(0, 1), fc.nat(), fc.constantFrom(2 ** 32, 2 ** 40));
const id = (length: number) =>
  fc.oneof(fc.uint8Array({ minLength: length, maxLength: length }), fc.constant(new Uint8Array(length)));
const span: fc.Arbitrary<SpanAnswer> = fc.record({
  spanId: id(8),
  name: fc.option(text, { nil: undefined }),
  startUnixNano: time,
  durationNanos: time,
  attributes,
});
const match: fc.Arbitrary<TraceMatch> = fc.record({
  traceId: id(16),
  root: fc.option(fc.record({ service: text, name: text }), { nil: undefined }),
  startUnixNano: time,
  durationNanos: time,
  services: fc
    .array(fc.tuple(text, fc.record({ spanCount: fc.nat(), errorCount: fc.constantFrom(0, 1, 7) })), { maxLength: 3 })
    .map((entries) => new Map(entries)),
  spansets: fc.array(fc.record({ spans: fc.array(span, { maxLength: 3 }), matched: count, attributes }), {
    maxLength: 3,
  }),
});

test('a trace is written as its message is', () => {
  fc.assert(
    fc.property(fc.array(match, { maxLength: 4 }), fc.boolean(), (matches, spansets) => {
      const settled = (): AttributeTypes => {
        const types = new AttributeTypes();
        types.settle(matches);
        return types;
      };
      const [types, others] = [settled(), settled()];
      const written = matches.map((one) => searchTraceJson(one, { types, spansets }));
      const expected = matches.map((one) => messageToJson(SEARCH_TRACE, searchTrace(one, { types: others, spansets })));
      expect(written).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

const timestampMs = fc.oneof(fc.constantFrom(0, 1, 1.5, -1), fc.nat({ max: 8_640_000_000_000_000 }));
const labels = fc.array(fc.record({ key, value }), { maxLength: 3 });
const series: fc.Arbitrary<Series> = fc.record({
  labels,
  samples: fc.array(fc.record({ timestampMs, value: float }), { maxLength: 4 }),
  exemplars: fc.array(fc.record({ labels, value: float, timestampMs }), { maxLength: 3 }),
});

test('a series is written as its message is', () => {
  fc.assert(
    fc.property(series, (one) => {
      expect(seriesJson(one)).toBe(messageToJson(SERIES, rangeSeries(one)));
    }),
    { numRuns: 2000 },
  );
});
