import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../byte-writer.ts';
import { codeWidth, countLevels, decodeHybrid, encodeHybrid, encodeLevels } from './hybrid.ts';

const runs = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 1, max: 300 })), {
    minLength: 1,
    maxLength: 30,
  })
  .map((list) => list.flatMap(([value, length]) => Array.from({ length }, () => value)));

describe('the hybrid encoding', () => {
  test('gives any range of the codes back', () => {
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (values, minRun, a, b) => {
        const width = codeWidth(Math.max(...values) + 1);
        const out = new ByteWriter(8);
        encodeHybrid(out, Int32Array.from(values), 0, values.length, width, minRun);
        const skip = a % values.length;
        const count = 1 + (b % (values.length - skip));
        const into = new Int32Array(count);
        decodeHybrid(out.view(), 0, out.length, width, skip, count, into, 0);
        expect([...into]).toEqual(values.slice(skip, skip + count));
      }),
    );
  });

  test('gives levels back and counts them', () => {
    fc.assert(
      fc.property(runs, fc.nat(), (values, a) => {
        const bits = new Uint8Array((values.length + 7) >>> 3);
        const levels = values.map((value) => value & 1);
        levels.forEach((level, i) => {
          if (level === 1) bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7));
        });
        const out = new ByteWriter(8);
        encodeLevels(out, bits, values.length);
        const into = new Int32Array(values.length);
        decodeHybrid(out.view(), 0, out.length, 1, 0, values.length, into, 0);
        expect([...into]).toEqual(levels);
        const some = a % (values.length + 1);
        const ones = levels.slice(0, some).reduce((sum, level) => sum + level, 0);
        expect(countLevels(out.view(), 0, out.length, some)).toBe(ones);
      }),
    );
  });

  test('a column that is full or empty takes one run', () => {
    for (const [byte, rows] of [
      [0xff, 16_384],
      [0, 16_381],
      [0, 7],
    ] as const) {
      const out = new ByteWriter(8);
      encodeLevels(out, new Uint8Array((rows + 7) >>> 3).fill(byte), rows);
      expect(out.length).toBeLessThanOrEqual(4);
    }
  });

  test('damaged bytes give a data error or values, never more than were asked for', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 0, max: 24 }), (bytes, width) => {
        const into = new Int32Array(100);
        try {
          decodeHybrid(bytes, 0, bytes.length, width, 50, 50, into, 50);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'data' });
        }
        expect([...into.subarray(0, 50)]).toEqual(Array.from({ length: 50 }, () => 0));
      }),
    );
  });
});
