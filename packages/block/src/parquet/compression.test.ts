import { expect, test } from 'vitest';
import { compress, decompress } from './compression.ts';

test('a page that shrinks a thousandfold comes back', () => {
  const bytes = new Uint8Array(20 << 20).fill(7);
  expect(Buffer.compare(decompress(compress(bytes), bytes.length), bytes)).toBe(0);
});

test('a frame that claims a gigabyte is a data error before much is allocated', () => {
  const frame = compress(new Uint8Array(1000));
  const before = process.memoryUsage().arrayBuffers;
  expect(() => decompress(frame, 1 << 30)).toThrow(expect.objectContaining({ kind: 'data', code: 'block-zstd' }));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
});
