import { describe, expect, test } from 'vitest';
import { decodeInstantStrictly, decodeRangeStrictly, decodeSearchStrictly } from './strict-answers.ts';

const span = (attributes: unknown[]) => ({ spanID: '00000000000000a2', startTimeUnixNano: '5', attributes });
const set = (...spans: unknown[]) => ({ spans, matched: 1 });
const trace = (more: object = {}) => ({ traceID: 'abc', rootServiceName: 'shop', startTimeUnixNano: '5', ...more });
const search = (...traces: unknown[]) => JSON.stringify({ traces, metrics: {} });
const withValue = (value: unknown) => search(trace({ spanSets: [set(span([{ key: 'k', value }]))] }));

test('takes what Grafana takes', () => {
  const values = [{ stringValue: '' }, { stringValue: 'x' }];
  const spans = values.map((value) => span([{ key: 'k', value }]));
  const body = search(
    trace({ durationMs: 1, spanSet: set(...spans), spanSets: [set(...spans)], serviceStats: { s: {} } }),
  );
  expect(decodeSearchStrictly(body)).toEqual(JSON.parse(body));
  const numbers = [{ intValue: '-7' }, { doubleValue: 0.5 }, { doubleValue: 'NaN' }].map((value) =>
    span([{ key: 'k', value }]),
  );
  expect(decodeSearchStrictly(search(trace({ spanSets: [set(...numbers)] }))).traces.length).toBe(1);
});

describe('breaks where Grafana breaks', () => {
  test.each([
    [
      'an unknown field at the top',
      JSON.stringify({ traces: [], metrics: {}, status: 'PARTIAL' }),
      /unknown field "status"/,
    ],
    [
      'an unknown metric',
      JSON.stringify({ traces: [], metrics: { backendBytes: '1' } }),
      /unknown field "backendBytes"/,
    ],
    ['a name in another style', search({ ...trace(), root_service_name: 'x' }), /unknown field "root_service_name"/],
    ['a name that objects have', '{"traces":[],"metrics":{"constructor":1}}', /unknown field "constructor"/],
    ['no traces', '{"metrics":{}}', /traces is absent/],
    ['a fraction', search(trace({ durationMs: 1.5 })), /durationMs is no uint32/],
    ['a number for 64 bits', search(trace({ startTimeUnixNano: 5 })), /startTimeUnixNano is no 64-bit integer/],
    ['an id with zeros before it', search(trace({ traceID: '0abc' })), /traceID is no id/],
    ['a short span id', search(trace({ spanSets: [set({ spanID: 'a2' })] })), /spanID is no id/],
    ['a value that is not set', withValue({}), /has not exactly one value: panic/],
    ['two values', withValue({ intValue: '1', boolValue: true }), /has not exactly one value: panic/],
    ['an array', withValue({ arrayValue: { values: [] } }), /unknown field "arrayValue"/],
    ['an attribute without a value', search(trace({ spanSets: [set(span([{ key: 'k' }]))] })), /value is absent/],
    [
      'another set than the first',
      search(trace({ spanSet: set(), spanSets: [set(span([]))] })),
      /another than spanSets\[0\]/,
    ],
    ['a set that hides others', search(trace({ spanSet: set(), spanSets: [set(), set()] })), /hides sets/],
    [
      'a key with two types over two traces',
      search(
        ...[{ stringValue: 'x' }, { intValue: '1' }].map((value) =>
          trace({ spanSets: [set(span([{ key: 'k', value }]))] }),
        ),
      ),
      /attribute k is a number after a stringValue: panic/,
    ],
  ])('at %s', (_, body, message) => {
    expect(() => decodeSearchStrictly(body)).toThrow(message);
  });

  test('in metrics too', () => {
    const sample = { series: [{ samples: [{ timestampMs: '1', value: 1 }] }], metrics: {} };
    expect(decodeRangeStrictly(JSON.stringify(sample))).toEqual(sample);
    expect(() => decodeInstantStrictly(JSON.stringify(sample))).toThrow('unknown field "samples"');
    expect(() => decodeRangeStrictly('{"series":[{"promLabels":"{}"}],"metrics":{}}')).toThrow(
      'unknown field "promLabels"',
    );
    expect(() => decodeInstantStrictly('{"series":[{"value":"2"}],"metrics":{}}')).toThrow('is no double');
  });
});
