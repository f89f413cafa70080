import { describe, expect, test } from 'vitest';
import { loadCorpus, naiveEvaluator, runCorpusCase, vectorEvaluator } from './testing.ts';

const cases = loadCorpus();
/** Over different heads and blocks. */
const split = [1, 2, 3].map(vectorEvaluator);

describe('the corpus', () => {
  test('is worked out by hand for the most part, so that it judges the naive evaluator too', () => {
    expect(cases.filter(({ byHand }) => byHand).length).toBeGreaterThan(cases.length / 2);
    expect(cases.length).toBeGreaterThan(1500);
  });

  const named = cases.map((one) => [`${one.file}:${one.line} ${one.query}`, one] as const);

  test.each(named)('read: %s', async (_, one) => {
    expect(await runCorpusCase(one, naiveEvaluator)).toBe(one.expected);
  });

  test.each(named)('in vectors: %s', async (_, one) => {
    for (const evaluator of split) expect(await runCorpusCase(one, evaluator)).toBe(one.expected);
  });
});
