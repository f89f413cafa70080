import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { seededRandom } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { deflate } from './deflater.ts';

test('frames are those of the documented function, one after another, of any size', () => {
  const random = seededRandom(2);
  const level = { [constants.ZSTD_c_compressionLevel]: 1 };
  for (const length of [0, 1, 95, 96, 4000, 70_000, 300_000, 10, 1 << 20, 33]) {
    for (const values of [1, 4, 256]) {
      const bytes = Uint8Array.from({ length }, () => random.u32() % values);
      const frame = deflate(bytes);
      expect(Buffer.compare(zstdDecompressSync(frame), bytes)).toBe(0);
      const whole = zstdCompressSync(bytes, { params: level, chunkSize: length + (length >>> 7) + 64 });
      expect(Buffer.compare(frame, whole)).toBe(0);
      // Memory of its own: the next frame does not change it.
      deflate(Uint8Array.of(1, 2, 3));
      expect(Buffer.compare(frame, whole)).toBe(0);
    }
  }
});
