import { expect, test } from 'vitest';
import { addUp } from './add-up.ts';

test('numbers become sums', () => {
  const counts = Int32Array.from({ length: 9000 }, (_, i) => i % 3);
  addUp(counts);
  expect([...counts.subarray(0, 5), counts[8999]]).toEqual([0, 1, 3, 3, 4, 9000]);
  expect(() => addUp(new Int32Array(0))).not.toThrow();
});
