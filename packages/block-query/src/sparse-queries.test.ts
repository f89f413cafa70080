import { expect, test } from 'vitest';
import { SparseQueries } from './sparse-queries.ts';

test('a query that filled no page is tried again after a while', () => {
  const sparse = new SparseQueries();
  expect(sparse.has('{ a }')).toBe(false);
  sparse.add('{ a }');
  const answers = Array.from({ length: 17 }, () => sparse.has('{ a }'));
  expect(answers.indexOf(false)).toBe(16);
});

test('no more than some are known, and none that are long', () => {
  const sparse = new SparseQueries();
  for (let i = 0; i < 1000; i++) sparse.add(`{ ${i} }`);
  expect(sparse.size).toBe(256);
  expect(sparse.has('{ 999 }')).toBe(true);
  expect(sparse.has('{ 0 }')).toBe(false);
  sparse.add('x'.repeat(1001));
  expect(sparse.has('x'.repeat(1001))).toBe(false);
});
