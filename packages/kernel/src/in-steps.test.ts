import { expect, test } from 'vitest';
import { foldInSteps, inSteps } from './in-steps.ts';

test.each([0, 1, 4095, 4096, 4097, 100_000])('all of %d rows are taken once, in their order', (count) => {
  const rows: number[] = [];
  inSteps(
    count,
    (from, to, into) => {
      expect(to - from).toBeLessThanOrEqual(4096);
      for (let row = from; row < to; row++) into.push(row);
    },
    rows,
  );
  expect(rows).toEqual(Array.from({ length: count }, (_, row) => row));
});

test('a result goes from step to step', () => {
  const add = (sum: number, from: number, to: number, numbers: readonly number[]) =>
    numbers.slice(from, to).reduce((all, one) => all + one, sum);
  const numbers = Array.from({ length: 10_000 }, (_, i) => i);
  expect(foldInSteps(10_000, 7, add, numbers)).toBe(7 + (9999 * 10_000) / 2);
  expect(foldInSteps(0, 7, add, numbers)).toBe(7);
});
