import { describe, expect, test } from 'vitest';
import { loadCorpus, naiveEvaluator, runCorpusCase } from './testing.ts';

const cases = loadCorpus();

describe('the corpus', () => {
  test('is worked out by hand for the most part, so that it judges the naive evaluator too', () => {
    expect(cases.filter(({ byHand }) => byHand).length).toBeGreaterThan(cases.length / 2);
    expect(cases.length).toBeGreaterThan(1500);
  });

  test.each(cases.map((one) => [`${one.file}:${one.line} ${one.query}`, one] as const))('%s', async (_, one) => {
    expect(await runCorpusCase(one, naiveEvaluator)).toBe(one.expected);
  });
});
