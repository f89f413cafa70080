import { expect, test } from 'vitest';
import type { SpanAnswer, TraceMatch } from './answer.ts';
import { AnswerBudget } from './answer-budget.ts';

const span = (text: string): SpanAnswer => ({
  spanId: new Uint8Array(8),
  name: undefined,
  startUnixNano: 1n,
  durationNanos: 1n,
  attributes: [{ key: 'k', value: { type: 'string', value: text } }],
});

function match(spans: SpanAnswer[]): TraceMatch {
  return {
    traceId: new Uint8Array(16),
    root: undefined,
    startUnixNano: 1n,
    durationNanos: 1n,
    services: new Map(),
    spansets: [{ spans, matched: spans.length, attributes: [] }],
  };
}

test('a page takes traces up to its bytes, and always one', () => {
  const budget = new AnswerBudget(3000);
  expect(budget.take(match(Array.from({ length: 50 }, () => span('x'))))).toBe(true);
  expect(budget.take(match([]))).toBe(false);
  const roomy = new AnswerBudget(3000);
  expect([1, 2, 3, 4, 5].map(() => roomy.take(match([span('x')])))).toEqual([true, true, true, true, false]);
});

test('long values count', () => {
  const budget = new AnswerBudget(10_000);
  expect(budget.take(match([span('x')]))).toBe(true);
  expect(budget.take(match([span('x'.repeat(10_000))]))).toBe(false);
});

test('a trace with more spans than fit into any page is refused before they are written down', () => {
  const budget = new AnswerBudget(10_000);
  budget.check(40, 1);
  expect(() => budget.check(41, 1)).toThrow(expect.objectContaining({ kind: 'limited', code: 'search-memory' }));
});
