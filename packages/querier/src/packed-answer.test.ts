import {
  type AnswerValue,
  AttributeTypes,
  type Question,
  type SearchResult,
  type SpanAnswer,
  searchTraceJson,
  type TraceMatch,
  type WrittenForm,
} from '@vivace/block-query';
import { Transferred } from '@vivace/kernel';
import { parse } from '@vivace/traceql';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packAnswer, unpackAnswer } from './packed-answer.ts';
import type { JobAnswer } from './query-job.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '__proto__', '\u0000', '\ud800 alone', '\udfff', '\u2028', '"\\', 'Grüße \u{1f680}'),
);
const time = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 2n ** 63n, 2n ** 64n - 1n));
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n),
);
const float = fc.oneof(
  fc.double(),
  fc.constantFrom(-0, 0, Number.NaN, Infinity, -Infinity, 5e-324, -Number.MAX_VALUE, 1e21, 0.1 + 0.2),
);
const status = fc.constantFrom('unset', 'ok', 'error');
const kind = fc.constantFrom('unspecified', 'internal', 'server', 'client', 'producer', 'consumer');
const scalar = [
  fc.record({ type: fc.constant('nil') }),
  fc.record({ type: fc.constant('string'), value: text }),
  fc.record({ type: fc.constant('int'), value: int64 }),
  fc.record({ type: fc.constant('duration'), value: int64 }),
  fc.record({ type: fc.constant('float'), value: float }),
  fc.record({ type: fc.constant('bool'), value: fc.boolean() }),
  fc.record({ type: fc.constant('status'), value: status }),
  fc.record({ type: fc.constant('kind'), value: kind }),
  fc.record({ type: fc.constant('other'), text }),
] as fc.Arbitrary<AnswerValue>[];
const { value } = fc.letrec<{ value: AnswerValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    ...scalar,
    fc.array(tie('value'), { maxLength: 4 }).map((values): AnswerValue => ({ type: 'array', values })),
  ),
}));
const attributes = fc.array(fc.record({ key: text, value }), { maxLength: 4 });
const id = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const span: fc.Arbitrary<SpanAnswer> = fc.record({
  spanId: id(8),
  name: fc.option(text, { nil: undefined }),
  startUnixNano: time,
  durationNanos: time,
  attributes,
});
const counts = fc.record({ spanCount: fc.nat(), errorCount: fc.nat() });
const match: fc.Arbitrary<TraceMatch> = fc.record({
  traceId: id(16),
  root: fc.option(fc.record({ service: text, name: text }), { nil: undefined }),
  startUnixNano: time,
  durationNanos: time,
  services: fc.array(fc.tuple(text, counts), { maxLength: 3 }).map((entries) => new Map(entries)),
  spansets: fc.array(fc.record({ spans: fc.array(span, { maxLength: 3 }), matched: fc.nat(), attributes }), {
    maxLength: 3,
  }),
});

const job = (result: unknown): JobAnswer<unknown> => ({
  result,
  missing: ['block-1'],
  problems: ['block 2 cannot be read'],
  damaged: ['block 2'],
  inspectedBytes: 7,
});
const searching = (written?: WrittenForm): Question => ({
  kind: 'search',
  request: {
    query: parse('{}'),
    startUnixNano: undefined,
    endUnixNano: undefined,
    limit: 9,
    spansPerSpanset: 0,
    after: undefined,
    written,
  },
});
const NO_SEARCH: Question = { kind: 'tags', request: { scope: undefined, filter: undefined, limit: 0 } };

/** What arrives in another thread. */
function passed(answer: JobAnswer<unknown>, question = searching()): JobAnswer<unknown> {
  const packed = packAnswer(answer, question);
  if (!(packed instanceof Transferred)) return unpackAnswer(structuredClone(packed));
  const transfer = packed.transfer as ArrayBuffer[];
  return unpackAnswer(structuredClone(packed.value as JobAnswer<unknown>, { transfer }));
}

test('a search passes between threads as it was: every type, -0, NaN, infinities, all 64 bits', () => {
  fc.assert(
    fc.property(fc.array(match, { maxLength: 4 }), fc.boolean(), (traces, more) => {
      const result = { traces, more, inspectedSpans: 12, inspectedTraces: 3 };
      const arrived = passed(job(result));
      // Numbers are compared by Object.is: -0 is not 0.
      expect(arrived).toEqual(job(result));
    }),
  );
});

test('traces that are asked for as text pass as it, with what is to be known of them', () => {
  fc.assert(
    fc.property(fc.array(match, { maxLength: 4 }), fc.boolean(), (traces, spansets) => {
      const rest = { more: true, inspectedSpans: 12, inspectedTraces: 3 };
      const result = passed(job({ traces, ...rest }), searching({ spansets })).result as SearchResult;
      const last = traces.at(-1);
      if (last === undefined) {
        expect(result).toEqual({ traces: [], ...rest });
        return;
      }
      const types = new AttributeTypes();
      types.settle(traces);
      const json = traces.map((trace) => searchTraceJson(trace, { types, spansets })).join(',');
      const { json: pieces = [], ...known } = result.written ?? {};
      expect(Buffer.concat(pieces)).toEqual(Buffer.from(json));
      expect(known).toEqual({
        count: traces.length,
        last: { startUnixNano: last.startUnixNano, traceId: last.traceId },
      });
      expect({ ...result, written: undefined }).toEqual({ traces: [], ...rest });
    }),
  );
});

test('a long text passes in several pieces', () => {
  const traces = Array.from(
    { length: 500 },
    (_, i): TraceMatch => ({
      traceId: new Uint8Array(16).fill(i),
      root: { service: 'ü'.repeat(1000), name: `${i}` },
      startUnixNano: 1n,
      durationNanos: 0n,
      services: new Map(),
      spansets: [],
    }),
  );
  const result = passed(job({ traces, more: false }), searching({ spansets: true })).result as SearchResult;
  const pieces = result.written?.json ?? [];
  expect(pieces.length).toBeGreaterThan(1);
  const read = JSON.parse(`[${Buffer.concat(pieces).toString()}]`) as { rootTraceName: string }[];
  expect(read.map(({ rootTraceName }) => rootTraceName)).toEqual(traces.map(({ root }) => root?.name));
});

test('the ids of an answer are bytes of their own, not a view of a buffer', () => {
  const buffer = new Uint8Array(64).fill(9);
  const traces: TraceMatch[] = [
    {
      traceId: buffer.subarray(3, 19),
      root: undefined,
      startUnixNano: 1n,
      durationNanos: 0n,
      services: new Map(),
      spansets: [],
    },
  ];
  const { result } = passed(job({ traces, more: false, inspectedSpans: 0, inspectedTraces: 0 }));
  const [trace] = (result as SearchResult).traces;
  expect(trace?.traceId).toEqual(new Uint8Array(16).fill(9));
  expect(trace?.traceId.buffer.byteLength).toBe(16);
});

test.each([
  { series: [{ labels: [{ key: 'a', value: { type: 'nil' } }], samples: [], exemplars: [] }], truncated: true },
  { scopes: [{ name: 'span', tags: ['traces'] }], inspectedSpans: 1, inspectedTraces: 1 },
  { values: [{ type: 'int', value: 2n ** 63n - 1n }], inspectedSpans: 1, inspectedTraces: 1 },
])('answers of other kinds are left as they are', (result) => {
  expect(passed(job(result), NO_SEARCH)).toStrictEqual(job(result));
});
