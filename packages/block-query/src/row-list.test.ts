import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickGreater } from './row-list.ts';

const edges = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x7fffffffffffffffn, 0xffffffffffffffffn];
const value = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));

test('64-bit values are compared with a bound as unsigned integers, of all rows and of some', () => {
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 40 }),
      value,
      fc.boolean(),
      fc.boolean(),
      (values, bound, greater, some) => {
        const halves = new Uint32Array(BigUint64Array.from(values).buffer);
        const list = some ? Int32Array.from(values.keys()).filter((row) => row % 3 !== 1) : undefined;
        const low = Number(bound & 0xffffffffn);
        const high = Number(bound >> 32n);
        const picked = pickGreater(halves, low, high, greater, list, values.length);
        const rows = [...(list ?? values.keys())];
        expect([...picked]).toEqual(rows.filter((row) => (values[row] as bigint) > bound === greater));
      },
    ),
    { numRuns: 2000 },
  );
});
