import { expect, test } from 'vitest';
import { exponentOf } from './buckets.ts';
import { INTEGER, NO_NUMBER, numberOfValue } from './numbers.ts';

/** Powers of two and their neighbours, of both signs, within 64 bits. */
const INTEGERS = Array.from({ length: 63 }, (_, k) => [-2n, -1n, 0n, 1n, 2n].map((d) => 2n ** BigInt(k) + d))
  .flat()
  .flatMap((value) => [value, -value]);

test('a bucket ends with a power of two', () => {
  for (const value of [...INTEGERS, 2n ** 63n - 1n]) {
    const exponent = exponentOf({ type: 'int', value });
    if (value < 2n) expect(exponent, String(value)).toBe(0);
    else {
      expect(value <= 2n ** BigInt(exponent), String(value)).toBe(true);
      expect(value > 2n ** BigInt(exponent - 1), String(value)).toBe(true);
    }
  }
});

test('only ints and durations have a bucket', () => {
  expect(exponentOf({ type: 'float', value: 8 })).toBe(0);
  expect(exponentOf({ type: 'string', value: '8' })).toBe(0);
  expect(exponentOf({ type: 'array', values: [{ type: 'int', value: 8n }] })).toBe(0);
  expect(exponentOf({ type: 'duration', value: 8n })).toBe(3);
});

test('integers are exact in two parts, the lower of which is not negative', () => {
  for (const value of [...INTEGERS, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const { type, high, low } = numberOfValue({ type: 'int', value });
    expect(type).toBe(INTEGER);
    expect(BigInt(high) * 2n ** 32n + BigInt(low)).toBe(value);
    expect(low).toBeGreaterThanOrEqual(0);
  }
  expect(numberOfValue({ type: 'float', value: Number.NaN }).type).toBe(NO_NUMBER);
});
