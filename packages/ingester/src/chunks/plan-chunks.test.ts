import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_ROWS, planChunks } from './plan-chunks.ts';

test('chunks have each row once, in order, and begin at multiples of their size', () => {
  fc.assert(
    fc.property(fc.nat(200_000), (rows) => {
      let next = 0;
      for (const { from, to } of planChunks(rows)) {
        expect(from).toBe(next);
        expect(to).toBeGreaterThan(from);
        const size = CHUNK_ROWS.find((candidate) => candidate === to - from);
        if (to !== rows) expect(size).toBeDefined();
        if (size !== undefined) expect(from % size).toBe(0);
        next = to;
      }
      expect(next).toBe(rows);
    }),
  );
});

test('chunks that are full stay when rows are appended, until they are a part of a larger one', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(50_000), (rows, more) => {
      const before = planChunks(rows).filter(({ from, to }) => CHUNK_ROWS.includes(to - from));
      const after = planChunks(rows + more);
      for (const { from, to } of before) {
        const holder = after.find((range) => range.from <= from && range.to >= to);
        expect(holder).toBeDefined();
        const length = (holder?.to ?? 0) - (holder?.from ?? 0);
        expect(length === to - from || length >= 2048).toBe(true);
      }
      // Few of any size but the largest.
      expect(after.filter(({ from, to }) => to - from < 16_384).length).toBeLessThanOrEqual(7 + 7 + 1);
    }),
  );
});
