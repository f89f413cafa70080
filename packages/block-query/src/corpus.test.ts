import { describe, expect, test } from 'vitest';
import { loadCorpus, naiveEvaluator, runCorpusCase } from './testing.ts';

const cases = loadCorpus();

describe('the corpus', () => {
  test.each(cases.map((one) => [`${one.file}:${one.line} ${one.query}`, one] as const))('%s', async (_, one) => {
    expect(await runCorpusCase(one, naiveEvaluator)).toBe(one.expected);
  });
});
