import { expect, test } from 'vitest';
import { Coverage } from './coverage.ts';

test('the steps of generations join without gap or overlap, whether committed or not', () => {
  const coverage = new Coverage();
  expect(coverage.seal('a', 's', 3)).toEqual({ stream: 's', from: 0, to: 3 });
  expect(coverage.seal('a', 's', 3)).toBeUndefined();
  expect(coverage.seal('a', 's', 5)).toEqual({ stream: 's', from: 3, to: 5 });
  expect(coverage.seal('b', 's', 5)).toEqual({ stream: 's', from: 0, to: 5 });
});

test('a segment is covered once every tenant in it is, by commits only', () => {
  const coverage = new Coverage();
  const a = coverage.seal('a', 's', 2);
  const b = coverage.seal('b', 's', 1);
  expect(coverage.covers(['a'], 's', 1)).toBe(false);
  if (a) coverage.commit('a', [a]);
  expect(coverage.covers(['a'], 's', 2)).toBe(true);
  expect(coverage.covers(['a', 'b'], 's', 1)).toBe(false);
  if (b) coverage.commit('b', [b]);
  expect(coverage.covers(['a', 'b'], 's', 1)).toBe(true);
  expect(coverage.covers(['a', 'b'], 's', 2)).toBe(false);
  expect(coverage.covers([], 's', 99)).toBe(true);
});

test('what a root says is where the next step begins', () => {
  const coverage = new Coverage();
  coverage.load('a', 's', 4);
  expect(coverage.covers(['a'], 's', 4)).toBe(true);
  expect(coverage.seal('a', 's', 6)).toEqual({ stream: 's', from: 4, to: 6 });
  coverage.load('a', 's', 5);
  expect(coverage.seal('a', 's', 6)).toEqual({ stream: 's', from: 5, to: 6 });
});

test('a stream that is gone is forgotten, and only it', () => {
  const coverage = new Coverage();
  coverage.load('a', 's', 4);
  coverage.load('a', 't', 1);
  coverage.forget('s');
  expect(coverage.covers(['a'], 's', 1)).toBe(false);
  expect(coverage.covers(['a'], 't', 1)).toBe(true);
});
