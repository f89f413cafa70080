import { expect, test } from 'vitest';
import { fieldHash } from './field-hash.ts';
import { sourceOf } from './source.ts';

const RANGES = [
  [0, 0],
  [3, 4],
  [5, 7],
  [1, 4],
  [0, 4],
  [2, 7],
  [8, 22],
  [1, 40],
  [0, 64],
] as const;

test.each([
  [0, [0, -1091678090, -1779431340, 1087883715, -697375249, 32686188, 1452397673, 1169652921, 2043599915]],
  [1, [-2047875787, 21585281, -1706557937, 811561715, 1414006077, -671067835, -337227634, -1170447167, -212175552]],
  [2, [198691434, -181306953, -171982035, 1416177403, -751830922, -1161363848, 69529828, 1836391608, -599293209]],
])('hashes of kind %d never change', (kind, hashes) => {
  const source = sourceOf(Uint8Array.from({ length: 64 }, (_, i) => (i * 37 + 11) & 255));
  expect(RANGES.map(([from, to]) => fieldHash(source, from, to, kind))).toEqual(hashes);
});
