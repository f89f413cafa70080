import { expect, test } from 'vitest';
import { createBlockCache } from './cache.ts';

test('the cache keeps what was used last, within its bytes', () => {
  // A quarter is for inflated pages, which this says nothing of.
  const cache = createBlockCache({ maxBytes: 133 });
  cache.put('a', { v: 1 }, 40);
  cache.put('b', { v: 2 }, 40);
  expect(cache.get('a')).toEqual({ v: 1 });
  cache.put('c', { v: 3 }, 40);
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([{ v: 1 }, undefined, { v: 3 }]);
  cache.put('c', { v: 4 }, 10);
  expect(cache.bytes).toBe(50);
  cache.put('large', {}, 51);
  expect(cache.get('large')).toBeUndefined();
  expect(cache.bytes).toBe(50);
});
