import { createBlockCache } from '@vivace/block';
import { expect, test } from 'vitest';
import { countedCache, createUsageCounters, sumUsage } from './cache-usage.ts';

test('what caches hold and how often they had it is told of all threads together', () => {
  const threads = [createUsageCounters(), createUsageCounters()];
  const [one, other] = threads.map((counters) =>
    countedCache(createBlockCache({ maxBytes: 1000, filterBytes: 1000 }), counters),
  );
  one?.put('a/x', {}, 100);
  one?.filters.put('a/f', {}, 30);
  other?.put('b/x', {}, 200);
  expect(one?.get('a/x')).toEqual({});
  expect(one?.get('a/y')).toBeUndefined();
  expect(other?.filters.get('a/f')).toBeUndefined();
  expect(one?.filters.bytes).toBe(30);
  expect(sumUsage(threads)).toEqual({ blockBytes: 300, filterBytes: 30, hits: 1, misses: 2 });
});

test('what was pushed out is not held any more', () => {
  const counters = createUsageCounters();
  const cache = countedCache(createBlockCache({ maxBytes: 400 }), counters);
  for (let i = 0; i < 10; i++) cache.put(`a/${i}`, {}, 100);
  expect(sumUsage([counters]).blockBytes).toBe(300);
  expect(cache.get('a/0')).toBeUndefined();
  expect(cache.get('a/9')).toEqual({});
});
