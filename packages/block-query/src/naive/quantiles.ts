import type { Value } from './model.ts';

/**
 * Values are put into buckets of powers of two: bucket k holds those in (2^(k-1), 2^k]. Of the n values the one of
 * rank r = max(1, ceil(q * n)) lies in a bucket with m values, of which i = r - (values in lower buckets) are needed;
 * the quantile is 2^(k - 1 + i/m).
 */

/** The upper bound of the bucket of a value, durations in seconds; undefined where it has none: below 2, or no integer. */
export function bucketOf(value: Value): number | undefined {
  const exponent = exponentOf(value);
  return exponent === undefined ? undefined : scaled(2 ** exponent, value.type === 'duration');
}

function exponentOf(value: Value): number | undefined {
  if ((value.type !== 'int' && value.type !== 'duration') || value.value < 2n) return undefined;
  return (value.value - 1n).toString(2).length;
}

function scaled(value: number, isDuration: boolean): number {
  return isDuration ? value / 1e9 : value;
}

/** 0 where no value has a bucket. */
export function quantileOf(quantile: number, values: readonly Value[]): number {
  const exponents = values.map(exponentOf).filter((exponent) => exponent !== undefined);
  const rank = Math.max(1, Math.ceil(quantile * exponents.length));
  let below = 0;
  for (const exponent of [...new Set(exponents)].sort((a, b) => a - b)) {
    const count = exponents.filter((one) => one === exponent).length;
    if (below + count >= rank) {
      return scaled(
        2 ** (exponent - 1 + (rank - below) / count),
        values.some((value) => value.type === 'duration'),
      );
    }
    below += count;
  }
  return 0;
}
