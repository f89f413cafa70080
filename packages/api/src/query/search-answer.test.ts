import { type AnswerValue, AttributeTypes, type TraceMatch, textOf } from '@vivace/block-query';
import { describe, expect, test } from 'vitest';
import { span, spanset, traceMatch } from '../testing/plain-engine.ts';
import { decodeSearchStrictly } from '../testing/strict-answers.ts';
import { messageToJson } from './message-json.ts';
import { searchMetrics, searchTrace } from './search-answer.ts';
import { SEARCH_RESPONSE } from './tempopb.ts';

const int = (value: bigint): AnswerValue => ({ type: 'int', value });
const text = (value: string): AnswerValue => ({ type: 'string', value });

function answer(matches: TraceMatch[], spansets = true) {
  const types = new AttributeTypes();
  types.settle(matches);
  const metrics = searchMetrics({
    inspectedTraces: 2 ** 40,
    inspectedSpans: 2,
    inspectedBytes: 3,
    totalBlocks: 0,
    totalBlockBytes: 0,
    completedJobs: 0,
    totalJobs: 0,
  });
  const traces = matches.map((match) => searchTrace(match, { types, spansets }));
  return decodeSearchStrictly(messageToJson(SEARCH_RESPONSE, { traces, metrics }));
}

describe('the answer of a search', () => {
  test('has the facts and spans of a trace as Tempo writes them', () => {
    const match = traceMatch(0xabc, { spansets: [spanset([span(0xa2, { i: int(7n) })], { matched: 5 })] });
    const { traces, metrics } = answer([match]);
    const spanSet = {
      spans: [
        {
          spanID: '00000000000000a2',
          startTimeUnixNano: '1795226252234981743',
          durationNanos: '50000000',
          attributes: [{ key: 'i', value: { intValue: '7' } }],
        },
      ],
      matched: 5,
    };
    expect(traces).toEqual([
      {
        traceID: 'abc',
        rootServiceName: 'shop',
        rootTraceName: 'GET /',
        startTimeUnixNano: '1795223504234981743',
        durationMs: 100,
        spanSet: { ...spanSet, attributes: undefined },
        spanSets: [{ ...spanSet, attributes: undefined }],
        serviceStats: { shop: { spanCount: 2 } },
      },
    ]);
    expect(metrics).toEqual({ inspectedTraces: 4_294_967_295, inspectedSpans: '2', inspectedBytes: '3' });
  });

  test('says that a root is not there, leaves out short durations, and gives no spans to a search by tags', () => {
    const match = traceMatch(1, { root: undefined, durationNanos: 999_999n });
    expect(answer([match], false).traces).toEqual([
      { traceID: '1', rootServiceName: '<root span not yet received>', startTimeUnixNano: '1795226251234981743' },
    ]);
  });

  test('names no set where there are several, or a table would show only that one', () => {
    const groups = [spanset([span(1)], { attributes: [{ key: 'by(name)', value: text('a') }] }), spanset([span(2)])];
    const [trace] = answer([traceMatch(1, { spansets: groups })]).traces;
    expect([trace?.spanSet, trace?.spanSets?.length]).toEqual([undefined, 2]);
    expect(trace?.spanSets?.[0]?.attributes).toEqual([{ key: 'by(name)', value: { stringValue: 'a' } }]);
  });

  test('keeps keys of services and attributes that are names of objects', () => {
    const services = new Map([['__proto__', { spanCount: 1, errorCount: 1 }]]);
    const match = traceMatch(1, {
      services,
      spansets: [spanset([{ ...span(1), attributes: [{ key: '__proto__', value: text('x') }] }])],
    });
    const [trace] = answer([match]).traces;
    expect(Object.entries(trace?.serviceStats ?? {})).toEqual([['__proto__', { spanCount: 1, errorCount: 1 }]]);
    expect(trace?.spanSets?.[0]?.spans[0]?.attributes).toEqual([{ key: '__proto__', value: { stringValue: 'x' } }]);
  });
});

describe('a key with several types', () => {
  const values: AnswerValue[] = [int(7n), text('x'), { type: 'bool', value: true }, { type: 'nil' }];

  test('is answered as strings throughout', () => {
    const { traces } = answer(
      values.map((value, i) => traceMatch(i + 1, { spansets: [spanset([span(1, { k: value })])] })),
    );
    const written = traces.map((trace) => trace.spanSets?.[0]?.spans[0]?.attributes?.[0]?.value);
    expect(written).toEqual(['7', 'x', 'true', 'nil'].map((stringValue) => ({ stringValue })));
  });

  test('keeps integers beside doubles, which go together', () => {
    const pair = [int(7n), { type: 'float', value: 0.5 } as AnswerValue];
    const spans = pair.map((value, i) => span(i + 1, { k: value }));
    const { traces } = answer([traceMatch(1, { spansets: [spanset(spans)] })]);
    const written = traces[0]?.spanSets?.[0]?.spans.map(({ attributes }) => attributes?.[0]?.value);
    expect(written).toEqual([{ intValue: '7' }, { doubleValue: 0.5 }]);
  });

  test('keeps the type that went out first in a stream, and tells what was left out', () => {
    const types = new AttributeTypes();
    const match = (value: AnswerValue) => traceMatch(1, { spansets: [spanset([span(1, { k: value })])] });
    types.settle([match(int(1n))]);
    types.settle([match(text('x'))]);
    expect(types.write([{ key: 'k', value: int(2n) }])).toEqual([{ key: 'k', value: { intValue: 2n } }]);
    expect([...types.leftOut]).toEqual([]);
    expect(types.write([{ key: 'k', value: text('x') }])).toEqual([]);
    expect([...types.leftOut]).toEqual(['k']);
  });
});

test('values have a text', () => {
  const array: AnswerValue = {
    type: 'array',
    values: [text('a"b'), int(1n), { type: 'array', values: [] }, { type: 'bool', value: false }],
  };
  const all: AnswerValue[] = [
    { type: 'duration', value: 63_333_333n },
    { type: 'status', value: 'error' },
    { type: 'kind', value: 'server' },
    { type: 'float', value: 0.1 },
    array,
    { type: 'other', text: '{}' },
  ];
  expect(all.map(textOf)).toEqual(['63.333333ms', 'error', 'server', '0.1', String.raw`["a\"b",1,[],false]`, '{}']);
});
