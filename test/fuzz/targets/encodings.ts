import zlib from 'node:zlib';
import { concatBytes, equalBytes, isKind, type Random, seededRandom, utf8Encode } from '@vivace/kernel';
import { inflate } from '@vivace/receivers/testing';
import { compressFrameSync } from 'lz4-napi';
import { Compressor, compressSync } from 'snappy';
import { below, expectThat, type FuzzTarget, oneIn, pick } from '../fuzz-target.ts';
import { mutateBytes } from '../mutate-bytes.ts';

type Encoding = Parameters<typeof inflate>[0];

const ENCODINGS: readonly Encoding[] = ['gzip', 'zlib', 'deflate', 'zstd', 'snappy', 'x-snappy-framed', 'lz4'];
const MAX_BYTES = 1 << 20;
/**
 * A body inflates to at most the limit, or gives an `invalid` or `limited` error. The first byte of an
 * input says which encoding. What is not damaged inflates to what was sent.
 */
export async function encodingsTarget(seed: number): Promise<FuzzTarget> {
  const random = seededRandom(seed);
  const bodies = [
    new Uint8Array(0),
    random.bytes(10),
    new Uint8Array(200_000),
    utf8Encode('span '.repeat(2000)),
    random.bytes(20_000),
    random.bytes(3000).map((byte) => byte & 3),
  ];
  const seeds = new Map<Encoding, Uint8Array[][]>();
  for (const encoding of ENCODINGS) {
    const forms = await Promise.all(bodies.map((body) => compressed(encoding, body)));
    for (const [i, body] of bodies.entries()) {
      for (const form of forms[i] as Uint8Array[]) {
        const whole = concatBytes(await inflate(encoding, form, MAX_BYTES));
        expectThat(equalBytes(whole, body), `${encoding} does not give back what was sent`);
      }
    }
    seeds.set(encoding, forms);
  }
  return {
    keepBytes: 1,
    spareBytes: 16 * MAX_BYTES,
    make(inputRandom: Random) {
      const code = below(inputRandom, ENCODINGS.length);
      const forms = seeds.get(ENCODINGS[code] as Encoding) as Uint8Array[][];
      const form = pick(inputRandom, pick(inputRandom, forms));
      const other = oneIn(inputRandom, 3) ? form : pick(inputRandom, pick(inputRandom, forms));
      return concatBytes([Uint8Array.of(code), mutateBytes(inputRandom, form, other)]);
    },
    async check(input) {
      const encoding = ENCODINGS[input[0] as number] as Encoding;
      let parts: Uint8Array[];
      try {
        parts = await inflate(encoding, input.subarray(1), MAX_BYTES);
      } catch (error) {
        if (!isKind(error, 'invalid', 'limited')) throw error;
        return;
      }
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      expectThat(length <= MAX_BYTES, `${encoding} inflates to ${length} bytes`);
    },
  };
}

/** A body in every form that clients send. */
async function compressed(encoding: Encoding, body: Uint8Array): Promise<Uint8Array[]> {
  const bytes = Buffer.from(body);
  const half = body.length >>> 1;
  switch (encoding) {
    case 'gzip':
      return [
        zlib.gzipSync(body),
        Buffer.concat([zlib.gzipSync(body.subarray(0, half)), zlib.gzipSync(body.subarray(half))]),
      ];
    case 'zlib':
      return [zlib.deflateSync(body)];
    case 'deflate':
      return [zlib.deflateSync(body), zlib.deflateRawSync(body)];
    case 'zstd': {
      const params = { [zlib.constants.ZSTD_c_checksumFlag]: 1 };
      return [
        zlib.zstdCompressSync(body),
        zlib.zstdCompressSync(body, { pledgedSrcSize: body.length, params }),
        Buffer.concat([
          zlib.zstdCompressSync(body.subarray(0, half)),
          Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7),
          zlib.zstdCompressSync(body.subarray(half)),
        ]),
      ];
    }
    case 'snappy':
      return [compressSync(bytes), await framed(bytes)];
    case 'x-snappy-framed':
      return [await framed(bytes)];
    case 'lz4':
      return [
        compressFrameSync(bytes),
        compressFrameSync(bytes, { contentChecksum: true, blockChecksums: true }),
        Buffer.concat([compressFrameSync(bytes.subarray(0, half)), compressFrameSync(bytes.subarray(half))]),
      ];
  }
}

async function framed(bytes: Buffer): Promise<Uint8Array> {
  const compressor = new Compressor();
  return Buffer.concat([compressor.update(bytes), await compressor.finish()]);
}
