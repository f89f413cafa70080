import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration, parseGoDuration, parsePrometheusDuration } from './duration.ts';

const MAX = (1n << 63n) - 1n;

describe('durations as Go writes them', () => {
  test.each([
    [0n, '0s'],
    [1n, '1ns'],
    [999n, '999ns'],
    [1000n, '1µs'],
    [5000n, '5µs'],
    [1100n, '1.1µs'],
    [999_999n, '999.999µs'],
    [1_000_000n, '1ms'],
    [63_333_333n, '63.333333ms'],
    [1_000_000_000n, '1s'],
    [1_500_000_000n, '1.5s'],
    [59_999_999_999n, '59.999999999s'],
    [60_000_000_000n, '1m0s'],
    [61_000_000_001n, '1m1.000000001s'],
    [3_600_000_000_000n, '1h0m0s'],
    [90_061_000_000_000n, '25h1m1s'],
    [-1_500_000_000n, '-1.5s'],
    [-1n, '-1ns'],
    [MAX, '2562047h47m16.854775807s'],
    [-MAX - 1n, '-2562047h47m16.854775808s'],
  ])('%d is %s', (nanos, text) => {
    expect(formatDuration(nanos)).toBe(text);
    expect(parseGoDuration(text)).toBe(nanos);
  });

  test('are read as what they were', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -MAX - 1n, max: MAX }), (nanos) => {
        expect(parseGoDuration(formatDuration(nanos))).toBe(nanos);
      }),
    );
  });

  test.each([
    ['0', 0n],
    ['-0', 0n],
    ['+5s', 5_000_000_000n],
    ['1h30m', 5_400_000_000_000n],
    ['1m1h', 3_660_000_000_000n],
    ['1.5h', 5_400_000_000_000n],
    ['.5s', 500_000_000n],
    ['5.s', 5_000_000_000n],
    ['1us', 1000n],
    ['1µs', 1000n],
    ['1μs', 1000n],
    ['0.3333333333333333333333ns', 0n],
    ['0.9999999999999999s', 999_999_999n],
    ['9223372036854775807ns', MAX],
  ])('%s is read', (text, nanos) => {
    expect(parseGoDuration(text)).toBe(nanos);
  });

  test.each([
    '',
    '-',
    '+',
    '1',
    '1.5',
    '.s',
    's',
    '1x',
    '1d',
    '1s ',
    ' 1s',
    '1 s',
    '--1s',
    '1e3s',
    '9223372036854775808ns',
    '300y',
    `${'9'.repeat(300)}s`,
  ])('%j is none', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });
});

describe('durations as Prometheus takes them', () => {
  test.each([
    ['1y', 31_536_000_000_000_000n],
    ['1w', 604_800_000_000_000n],
    ['1d', 86_400_000_000_000n],
    ['1d12h', 129_600_000_000_000n],
    ['1h1m1s1ms', 3_661_001_000_000n],
    ['90m', 5_400_000_000_000n],
    ['5ms', 5_000_000n],
  ])('%s is read', (text, nanos) => {
    expect(parsePrometheusDuration(text)).toBe(nanos);
  });

  test.each(['', '1', '1.5h', '1m1h', '1s1s', '-1s', '1us', '300y', 'h'])('%j is none', (text) => {
    expect(parsePrometheusDuration(text)).toBeUndefined();
  });

  test('TraceQL takes either notation', () => {
    expect(parseDuration('1d')).toBe(86_400_000_000_000n);
    expect(parseDuration('1.5s')).toBe(1_500_000_000n);
    expect(parseDuration('1.5d')).toBeUndefined();
  });
});
