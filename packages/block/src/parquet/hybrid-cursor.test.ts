import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteWriter } from '../byte-writer.ts';
import { codeWidth, encodeHybrid, encodeLevels } from './hybrid.ts';
import { HybridCursor } from './hybrid-cursor.ts';

/** Values in runs and without. */
const values = (max: number) =>
  fc
    .array(fc.tuple(fc.nat(max), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 150 }))), { minLength: 1 })
    .map((runs) => runs.flatMap(([value, length]) => Array.from({ length }, () => value)));

/** Places of a list of some length, ascending; one may come twice. */
const placesOf = (length: number) =>
  fc.array(fc.nat(length - 1), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b));

test('single codes are those that were written', () => {
  fc.assert(
    fc.property(
      fc.nat(70_000).chain((max) => values(max).chain((list) => fc.tuple(fc.constant(list), placesOf(list.length)))),
      fc.integer({ min: 1, max: 80 }),
      ([list, places], minRun) => {
        const width = codeWidth(Math.max(...list) + 1);
        const out = new ByteWriter(64);
        encodeHybrid(out, Int32Array.from(list), 0, list.length, width, minRun);
        const cursor = new HybridCursor(out.view(), 0, out.length, width);
        expect(places.map((place) => cursor.value(place))).toEqual(places.map((place) => list[place]));
      },
    ),
  );
});

test('levels before a place are counted', () => {
  fc.assert(
    fc.property(
      values(1).chain((list) => fc.tuple(fc.constant(list), placesOf(list.length))),
      ([list, places]) => {
        const bits = new Uint8Array((list.length + 7) >>> 3);
        for (const [i, level] of list.entries()) bits[i >>> 3] = (bits[i >>> 3] as number) | (level << (i & 7));
        const out = new ByteWriter(64);
        encodeLevels(out, bits, list.length);
        const cursor = new HybridCursor(out.view(), 0, out.length, 1);
        for (const place of places) {
          expect(cursor.value(place)).toBe(list[place]);
          expect(cursor.ones).toBe(list.slice(0, place).filter((level) => level === 1).length);
        }
      },
    ),
  );
});

test('a hybrid that is cut is a data error', () => {
  const out = new ByteWriter(64);
  encodeHybrid(
    out,
    Int32Array.from({ length: 500 }, (_, i) => i),
    0,
    500,
    9,
    64,
  );
  const pick = (length: number): number => new HybridCursor(out.view(), 0, length, 9).value(499);
  expect(pick(out.length)).toBe(499);
  for (const length of [0, 1, 2, out.length - 1]) {
    expect(() => pick(length)).toThrow(expect.objectContaining({ kind: 'data' }));
  }
  expect(() => new HybridCursor(out.view(), 0, out.length, 30)).toThrow(expect.objectContaining({ kind: 'data' }));
});
