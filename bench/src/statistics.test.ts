import { expect, it } from 'vitest';
import { parsePrometheus, sumOf } from './prometheus.ts';
import { latency, median, percentile } from './statistics.ts';

it('takes percentiles by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect([0, 0.5, 0.95, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 50, 95, 99, 100]);
  expect(latency([3])).toEqual({ count: 1, p50Ms: 3, p95Ms: 3, p99Ms: 3, maxMs: 3 });
  expect(percentile([], 0.5)).toBeNaN();
});

it('takes the middle as the median', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1])).toBe(2.5);
});

it('reads a page of metrics whatever is in its labels', () => {
  const page = [
    '# HELP a_total a {b="c"} 9',
    'a_total{operation="get",outcome="ok"} 3',
    'a_total{operation="put \\"x\\" {}",outcome="a\\nb"} 1e2 1700000000000',
    'a_total_more 5',
    'up +Inf',
    '',
  ].join('\n');
  const samples = parsePrometheus(page);
  expect(sumOf(samples, 'a_total')).toBe(103);
  expect(sumOf(samples, 'a_total', (labels) => labels.get('operation') === 'get')).toBe(3);
  expect(samples[1]?.labels.get('outcome')).toBe('a\nb');
  expect(sumOf(samples, 'up')).toBe(Number.POSITIVE_INFINITY);
});
