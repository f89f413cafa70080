import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { decodeDelta, encodeDelta } from './delta.ts';

const int64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
  fc.integer({ min: 0, max: 63 }).map((bits) => 1n << BigInt(bits)),
  fc.constantFrom(0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n),
);

function halves(values: readonly bigint[]): Uint32Array {
  return new Uint32Array(BigUint64Array.from(values).buffer);
}

test('any range of any 64-bit values comes back', () => {
  fc.assert(
    fc.property(
      fc.array(int64, { minLength: 1, maxLength: 400 }),
      fc.nat(),
      fc.nat(),
      fc.boolean(),
      (values, a, b, exact) => {
        const out = new ByteWriter(8);
        encodeDelta(out, halves(values), 0, values.length, exact);
        const skip = a % values.length;
        const count = 1 + (b % (values.length - skip));
        const into = new Uint32Array(2 * count);
        decodeDelta(new ByteReader(out.view()), skip, count, into, 0);
        expect([...new BigUint64Array(into.buffer)]).toEqual(values.slice(skip, skip + count));
      },
    ),
  );
});

test('every bit width comes back', () => {
  for (let bits = 0; bits <= 64; bits++) {
    const top = 2n ** BigInt(bits) - 1n;
    const values = Array.from({ length: 130 }, (_, i) => (i % 2 === 0 ? 0n : (top * BigInt(i)) / 129n));
    for (const exact of [true, false]) {
      const out = new ByteWriter(8);
      encodeDelta(out, halves(values), 0, values.length, exact);
      const into = new Uint32Array(260);
      decodeDelta(new ByteReader(out.view()), 0, 130, into, 0);
      expect([...new BigUint64Array(into.buffer)]).toEqual(values);
    }
  }
});

test('damaged pages give a data error or other values, never a hang', () => {
  fc.assert(
    fc.property(fc.array(int64, { minLength: 2, maxLength: 200 }), fc.nat(), fc.nat(), (values, at, cut) => {
      const out = new ByteWriter(8);
      encodeDelta(out, halves(values), 0, values.length, true);
      const bytes = out.take();
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ 0x55;
      try {
        const into = new Uint32Array(2 * values.length);
        decodeDelta(new ByteReader(bytes, 0, cut % bytes.length), 0, values.length, into, 0);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'data' });
      }
    }),
  );
});
