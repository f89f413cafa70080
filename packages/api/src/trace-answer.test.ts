import { concatBytes } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeTraceByIdResponse, decodeTracesData } from './testing/grafana-trace.ts';
import { exampleTrace } from './testing/test-api.ts';
import { encodeTraceByIdResponse, mergeAnswers, partialMessage } from './trace-answer.ts';

const whole = { complete: true, problems: [], truncated: false, inspectedBytes: 1 };

test('the response is what a protobuf library reads', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.nat(2 ** 40),
      fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
      (spans, inspectedBytes, message) => {
        const trace = exampleTrace('abc', { spans });
        const bytes = concatBytes([...encodeTraceByIdResponse({ ...whole, trace, inspectedBytes }, message)]);
        const response = decodeTraceByIdResponse(bytes);
        expect(response.trace).toEqual(decodeTracesData(new Uint8Array(trace)));
        expect(Number(response.metrics?.inspectedBytes ?? 0)).toBe(inspectedBytes);
        expect(response.status ?? 0).toBe(message === undefined ? 0 : 1);
        expect(response.message ?? '').toBe(message ?? '');
      },
    ),
    { numRuns: 50 },
  );
});

test('a merged trace is never longer than allowed and always whole resources', () => {
  const parts = ['a', 'b', 'c'].map((service) => exampleTrace('abc', { service }));
  const answers = [
    { ...whole, trace: concatBytes([parts[0] as Uint8Array, parts[1] as Uint8Array]) },
    { ...whole, trace: parts[2] as Uint8Array },
  ];
  const length = (parts[0]?.length ?? 0) * 3;
  for (let maxBytes = 0; maxBytes <= length; maxBytes++) {
    const { trace, truncated } = mergeAnswers(answers, maxBytes);
    expect(trace.length).toBeLessThanOrEqual(maxBytes);
    expect(truncated).toBe(maxBytes < length);
    expect(decodeTracesData(trace).resourceSpans.length).toBe(Math.floor((maxBytes * 3) / length));
  }
});

test('a single answer over the limit is cut too', () => {
  const trace = exampleTrace('abc');
  expect(mergeAnswers([{ ...whole, trace }], trace.length - 1)).toMatchObject({ truncated: true });
  expect(mergeAnswers([{ ...whole, trace }], trace.length).trace).toBe(trace);
});

test('bytes that are no trace are a data error when they have to be cut', () => {
  const trace = Uint8Array.from([0x0a, 0x7f, 1, 2, 3]);
  expect(() => mergeAnswers([{ ...whole, trace }], 2)).toThrow(expect.objectContaining({ kind: 'data' }));
});

test('long reasons are shortened', () => {
  const problems = ['x'.repeat(1000), ...Array.from({ length: 100 }, () => 'y')];
  const message = partialMessage({ ...whole, trace: new Uint8Array(0), complete: false, problems }, 10) as string;
  expect(message.length).toBeLessThan(500);
  expect(message).toMatch(/and 96 more$/);
  expect(partialMessage({ ...whole, trace: new Uint8Array(0) }, 10)).toBeUndefined();
});
