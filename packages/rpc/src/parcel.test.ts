import { isKind } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeParcel, encodeParcel } from './parcel.ts';

test('a parcel has what was put in: big integers, every number, maps, arrays of bytes and of numbers', () => {
  const value = {
    big: [0n, -1n, (1n << 64n) - 1n],
    numbers: [0, -0, 0.1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53],
    map: new Map<unknown, unknown>([
      ['a', { n: 1n }],
      [2n, new Map([['b', new Uint8Array([1, 2, 3])]])],
    ]),
    bytes: new Uint8Array([0, 255]).subarray(1),
    words: [new Uint32Array([0, 0xffffffff]), new Int32Array([-1, 7])],
    text: 'ü\u{1f600}\n"$"',
    none: null,
  };
  expect(decodeParcel(encodeParcel(value))).toEqual(value);
  expect(Object.is((decodeParcel(encodeParcel(value)) as typeof value).numbers[1], -0)).toBe(true);
});

test('a key is a key, whatever it means to JavaScript', () => {
  const value: unknown = JSON.parse('{"one":{"__proto__":[1],"constructor":2}}');
  Object.defineProperty((value as { one: object }).one, '__proto__', { value: [3n], enumerable: true });
  const back = decodeParcel(encodeParcel(value)) as { one: object };
  expect(Object.entries(back.one)).toEqual([
    ['__proto__', [3n]],
    ['constructor', 2],
  ]);
  expect(Object.getPrototypeOf(back.one)).toBe(Object.prototype);
});

test('any value of a parcel comes back, whatever its keys and texts are', () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
      fc.double(),
      fc.bigInt(),
      fc.uint8Array(),
      fc.boolean(),
      fc.array(tie('value')),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), tie('value'), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (one) => {
      expect(decodeParcel(encodeParcel({ one }))).toEqual({ one });
    }),
  );
});

test('a parcel that is cut or changed is an error of kind data, or another value, and nothing else', () => {
  const whole = encodeParcel({ a: 1n, bytes: [new Uint8Array(9), new Uint32Array(3)], text: 'x'.repeat(20) });
  for (let at = 0; at < whole.length; at++) {
    for (const damaged of [whole.subarray(0, at), whole.map((byte, i) => (i === at ? byte ^ 0x21 : byte))]) {
      try {
        decodeParcel(damaged);
      } catch (error) {
        expect(isKind(error, 'data'), String(error)).toBe(true);
      }
    }
  }
});
