import zlib from 'node:zlib';
import { isKind } from '@vivace/kernel';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { Compressor, compressSync } from 'snappy';
import { describe, expect, it } from 'vitest';
import { type ContentEncoding, contentEncoding, inflate } from './content-encoding.ts';

async function framedSnappy(bytes: Uint8Array): Promise<Uint8Array> {
  const compressor = new Compressor();
  return Buffer.concat([compressor.update(bytes), await compressor.finish()]);
}

type Compress = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
const cases: [string, Exclude<ContentEncoding, 'identity'>, Compress][] = [
  ['gzip', 'gzip', (b) => zlib.gzipSync(b)],
  [
    'gzip of two members',
    'gzip',
    (b) => Buffer.concat([zlib.gzipSync(b.subarray(0, 9)), zlib.gzipSync(b.subarray(9))]),
  ],
  ['zlib', 'zlib', (b) => zlib.deflateSync(b)],
  ['deflate as zlib', 'deflate', (b) => zlib.deflateSync(b)],
  ['deflate bare', 'deflate', (b) => zlib.deflateRawSync(b)],
  ['zstd', 'zstd', (b) => zlib.zstdCompressSync(b)],
  [
    'zstd with its size and checksum',
    'zstd',
    (b) => zlib.zstdCompressSync(b, { pledgedSrcSize: b.length, params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } }),
  ],
  [
    'zstd of two frames and one to skip',
    'zstd',
    (b) =>
      Buffer.concat([
        zlib.zstdCompressSync(b.subarray(0, 9)),
        Buffer.from([0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7]),
        zlib.zstdCompressSync(b.subarray(9)),
      ]),
  ],
  ['snappy block', 'snappy', (b) => compressSync(b)],
  ['snappy framed under the name of the block', 'snappy', framedSnappy],
  ['snappy framed', 'x-snappy-framed', framedSnappy],
  ['lz4', 'lz4', (b) => compressFrameSync(Buffer.from(b))],
  [
    'lz4 with checksums',
    'lz4',
    (b) => compressFrameSync(Buffer.from(b), { contentChecksum: true, blockChecksums: true }),
  ],
  [
    'lz4 of two frames',
    'lz4',
    (b) =>
      Buffer.concat([compressFrameSync(Buffer.from(b.subarray(0, 9))), compressFrameSync(Buffer.from(b.subarray(9)))]),
  ],
];

const LIMIT = 1024 * 1024;
const shared = (bytes: Uint8Array) => {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
};

describe.each(cases)('inflate %s', (_, encoding, compress) => {
  it('gives back what was compressed, from shared memory too', async () => {
    const words = fc.array(fc.constantFrom('checkout', 'GET /', '\u0000', 'é'), { maxLength: 60_000 });
    const contents = [
      Buffer.from('0123456789abcdef'),
      ...fc.sample(words, { numRuns: 8, seed: 1 }).map((w) => Buffer.from(w.join(''))),
    ];
    contents.push(
      Buffer.alloc(LIMIT, 'x'),
      Buffer.from(
        fc.sample(fc.uint8Array({ minLength: 100_000, maxLength: 200_000 }), { numRuns: 1, seed: 2 })[0] as Uint8Array,
      ),
    );
    for (const content of contents) {
      const parts = await inflate(encoding, shared(await compress(content)), LIMIT);
      expect(Buffer.concat(parts).equals(content)).toBe(true);
    }
  });

  it('refuses what inflates to more than the limit, however small it is', async () => {
    for (const size of [LIMIT + 1, 200 * LIMIT]) {
      const bomb = await compress(Buffer.alloc(size));
      await expect(inflate(encoding, bomb, LIMIT)).rejects.toMatchObject({
        kind: 'limited',
        code: 'request-too-large',
      });
    }
  });

  it('gives an error or some answer within the limit for any cut or flipped bit', async () => {
    const whole = await compress(Buffer.from('the quick brown fox '.repeat(200)));
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 150)) {
      for (const bytes of [whole.subarray(0, at), flip(whole, at)]) {
        try {
          const length = (await inflate(encoding, bytes, 10_000)).reduce((sum, part) => sum + part.length, 0);
          expect(length).toBeLessThanOrEqual(10_000);
        } catch (error) {
          if (!isKind(error, 'invalid', 'limited')) throw error;
        }
      }
    }
  });

  it('refuses a body that ends too early', async () => {
    const whole = await compress(Buffer.from('the quick brown fox '.repeat(200)));
    for (const end of [0, 1, 5, whole.length >>> 1, whole.length - 1]) {
      // A framed stream cut between two chunks is whole as far as its format can tell.
      if (end === 0 && encoding.includes('snappy')) continue;
      await expect(inflate(encoding, whole.subarray(0, end), LIMIT)).rejects.toMatchObject({ kind: 'invalid' });
    }
  });
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = (copy[at] as number) ^ (1 << (at % 8));
  return copy;
}

describe('inflate', () => {
  it('refuses a snappy block that declares 4 GB without allocating them', async () => {
    const before = process.memoryUsage().rss;
    const liar = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]);
    await expect(inflate('snappy', liar, 2 ** 40)).rejects.toMatchObject({ kind: 'invalid' });
    await expect(inflate('snappy', liar, LIMIT)).rejects.toMatchObject({ kind: 'limited' });
    expect(process.memoryUsage().rss - before).toBeLessThan(500 * 1024 * 1024);
  });

  it('refuses a zstd frame that declares more than the limit before it inflates any of it', async () => {
    const frame = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0]),
      Buffer.from([0x01, 0x00, 0x00]),
    ]);
    await expect(inflate('zstd', frame, LIMIT)).rejects.toMatchObject({ kind: 'limited' });
  });

  it('refuses bodies of a great many tiny frames', async () => {
    const frame = zlib.zstdCompressSync(Buffer.from('x'));
    const many = Buffer.concat(Array.from({ length: 2000 }, () => frame));
    await expect(inflate('zstd', many, LIMIT)).rejects.toThrow('too many frames');
  });

  it('notices a wrong checksum in framed snappy', async () => {
    const framed = Buffer.from(await framedSnappy(Buffer.from('abcdefgh')));
    framed[framed.length - 1] = (framed[framed.length - 1] as number) ^ 1;
    await expect(inflate('snappy', framed, LIMIT)).rejects.toThrow('checksum');
  });
});

describe('contentEncoding', () => {
  it('knows the encodings of Collectors in any case, and none as identity', () => {
    expect([undefined, '', 'identity', 'GZIP', ' zstd ', 'x-snappy-framed'].map(contentEncoding)).toEqual([
      'identity',
      'identity',
      'identity',
      'gzip',
      'zstd',
      'x-snappy-framed',
    ]);
  });

  it.each(['br', 'gzip, gzip', '__proto__', 'toString'])('refuses %s', (name) => {
    expect(() => contentEncoding(name)).toThrow(`unsupported Content-Encoding: ${name}`);
  });
});
