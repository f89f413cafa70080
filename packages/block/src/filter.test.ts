import { seededRandom } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { FILTER_BLOCK_BYTES, FilterBuilder, filterMayHold, filterProbeOffset } from './filter.ts';
import { Hash64 } from './hash.ts';
import { rawValue, type TestAttribute } from './testing.ts';

function hashOf(key: string, value: TestAttribute[1]): [low: number, high: number] {
  const hash = new Hash64();
  const { type, bytes } = rawValue(value);
  hash.key(Buffer.from(key), type);
  hash.value(hash.low, hash.high, type, bytes, 0, bytes.length);
  return [hash.low, hash.high];
}

function probe(filter: Uint8Array, low: number, high: number): boolean {
  const offset = filterProbeOffset(filter.length, high);
  return filterMayHold(filter.subarray(offset, offset + FILTER_BLOCK_BYTES), filter.length, low, high);
}

describe('the hash', () => {
  test('is what version 1 of the format says, for ever', () => {
    const hash = new Hash64();
    hash.traceId(
      Uint8Array.from({ length: 16 }, (_, i) => i),
      0,
    );
    const hashes = [
      [hash.low, hash.high],
      hashOf('', ''),
      hashOf('http.method', 'GET'),
      hashOf('order.id', 'ord-0123456789ab'),
      hashOf('n', 1n),
      hashOf('n', 1),
      hashOf('n', true),
    ].map(([low, high]) => [low?.toString(16), high?.toString(16)]);
    expect(hashes).toMatchInlineSnapshot(`
      [
        [
          "831021f3",
          "a978dea1",
        ],
        [
          "77fe7ac7",
          "81e9df6a",
        ],
        [
          "f9bbb8ad",
          "51e85ffc",
        ],
        [
          "a7272937",
          "97d931af",
        ],
        [
          "ab54e1b0",
          "b35c013d",
        ],
        [
          "af6ab601",
          "5172976e",
        ],
        [
          "daa3a6c2",
          "b78c7d07",
        ],
      ]
    `);
  });

  test('tells types apart, but not 0 from -0', () => {
    expect(hashOf('n', '1')).not.toEqual(hashOf('n', 1n));
    expect(hashOf('n', 1n)).not.toEqual(hashOf('n', 1));
    expect(hashOf('ab', 'c')).not.toEqual(hashOf('a', 'bc'));
    expect(hashOf('n', -0)).toEqual(hashOf('n', 0));
  });
});

describe('the filter', () => {
  const builder = new FilterBuilder();
  const random = seededRandom(3);
  const entries = Array.from({ length: 20_000 }, (): [number, number] => [random.u32(), random.u32()]);
  for (const [low, high] of entries) builder.add(low, high);
  const filter = builder.finish();

  test('never says no to what it holds', () => {
    for (const [low, high] of entries) expect(probe(filter, low, high)).toBe(true);
  });

  test('seldom says maybe to what it does not hold, at about 11 bits an entry', () => {
    let maybe = 0;
    for (let i = 0; i < 50_000; i++) if (probe(filter, random.u32(), random.u32())) maybe++;
    expect(maybe / 50_000).toBeLessThan(0.02);
    expect((filter.length * 8) / entries.length).toBeLessThan(11.6);
  });

  test('an empty one says no', () => {
    const empty = new FilterBuilder().finish();
    expect(empty).toHaveLength(FILTER_BLOCK_BYTES);
    expect(probe(empty, 1, 2)).toBe(false);
  });

  test('a flipped bit, a cut or a block from elsewhere is a data error, never a no', () => {
    const [low, high] = entries[0] as [number, number];
    const offset = filterProbeOffset(filter.length, high);
    const block = filter.slice(offset, offset + FILTER_BLOCK_BYTES);
    for (let bit = 0; bit < FILTER_BLOCK_BYTES * 8; bit++) {
      const damaged = block.slice();
      damaged[bit >>> 3] = (damaged[bit >>> 3] as number) ^ (1 << (bit & 7));
      expect(() => filterMayHold(damaged, filter.length, low, high)).toThrowError(
        expect.objectContaining({ kind: 'data' }),
      );
    }
    const elsewhere = (offset + FILTER_BLOCK_BYTES) % filter.length;
    for (const wrong of [block.slice(0, 31), filter.slice(elsewhere, elsewhere + FILTER_BLOCK_BYTES)]) {
      expect(() => filterMayHold(wrong, filter.length, low, high)).toThrowError(
        expect.objectContaining({ kind: 'data' }),
      );
    }
    expect(() => filterProbeOffset(33, high)).toThrowError(expect.objectContaining({ kind: 'data' }));
  });
});
