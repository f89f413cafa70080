import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';

const position = fc.record({
  startUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  traceId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
});

test('a cursor says the place that it was made of, to the nanosecond', () => {
  fc.assert(
    fc.property(position, (place) => {
      const text = encodeCursor(place);
      // It stands in a header and in URLs.
      expect(text).toMatch(/^[0-9a-z-]{1,48}$/);
      expect(decodeCursor(text)).toEqual(place);
    }),
  );
  const latest = { startUnixNano: 2n ** 64n - 1n, traceId: new Uint8Array(16).fill(255) };
  expect(decodeCursor(encodeCursor(latest))).toEqual(latest);
});

test.each([
  '',
  '-',
  'abc',
  `1-${'0'.repeat(31)}`,
  `1-${'0'.repeat(33)}`,
  `1-${'A'.repeat(32)}`,
  `-${'0'.repeat(32)}`,
  `-1-${'0'.repeat(32)}`,
  `1-${'0'.repeat(32)}\n`,
  ` 1-${'0'.repeat(32)}`,
  // 2^64 and above.
  `3w5e11264sgsg-${'0'.repeat(32)}`,
  `zzzzzzzzzzzzz-${'0'.repeat(32)}`,
  `${'1'.repeat(14)}-${'0'.repeat(32)}`,
  `1-${'0'.repeat(32)}-1`,
  '9'.repeat(100_000),
])('%j is no cursor', (text) => {
  expect(() => decodeCursor(text)).toThrow(expect.objectContaining({ kind: 'invalid', code: 'cursor' }));
});

test('any text is a cursor or refused', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(encodeCursor(decodeCursor(text))).toBe(text);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'invalid' });
      }
    }),
  );
});
