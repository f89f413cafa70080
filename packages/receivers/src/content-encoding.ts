import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { tooLarge } from '@vivace/http';
import { systemErrorCode, VivaceError } from '@vivace/kernel';
import { decompressFrame } from 'lz4-napi';
import { lz4Frames } from './lz4-frames.ts';
import { malformedBody } from './request-errors.ts';
import { inflateSnappy } from './snappy-body.ts';
import { zstdFrames } from './zstd-frames.ts';

type Inflate = (body: Uint8Array, maxBytes: number) => Promise<Uint8Array[]>;

/** The content encodings that Collectors send over HTTP, by the names they use. */
const INFLATE = {
  gzip: inflateGzip,
  zlib: inflateDeflate,
  deflate: inflateDeflate,
  zstd: inflateZstd,
  snappy: inflateSnappy,
  'x-snappy-framed': inflateSnappy,
  lz4: inflateLz4,
} satisfies Record<string, Inflate>;

export type ContentEncoding = 'identity' | keyof typeof INFLATE;

/** Throws `invalid` for an encoding that is not known. */
export function contentEncoding(header: string | undefined): ContentEncoding {
  if (header === undefined || header === '') return 'identity';
  const name = header.trim().toLowerCase();
  if (name === 'identity' || Object.hasOwn(INFLATE, name)) return name as ContentEncoding;
  throw new VivaceError('invalid', 'content-encoding', `unsupported Content-Encoding: ${header}`);
}

/**
 * Inflates a body, in the thread pool, to at most `maxBytes` over all parts. What is declared in front is
 * checked before anything is allocated for it; what is not is counted while it grows. Throws `limited`
 * (request-too-large) beyond that and `invalid` for bytes that are not of the encoding.
 */
export function inflate(
  encoding: Exclude<ContentEncoding, 'identity'>,
  body: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array[]> {
  return INFLATE[encoding](body, maxBytes);
}

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const zlibInflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate);
const rawInflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);
const unzstd = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);

async function inflateGzip(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  // The last four bytes say how long it is, if it is honest and has one member: good enough for a guess.
  const end = body.length;
  const declared = end < 18 ? 0 : new DataView(body.buffer, body.byteOffset).getUint32(end - 4, true);
  return [await translated('gzip', maxBytes, () => gunzip(body, sizes(body, declared, maxBytes)))];
}

/** HTTP means the zlib format by `deflate`; some clients send it bare (RFC 9110, section 8.4.1.2). */
async function inflateDeflate(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  const options = sizes(body, body.length * 4, maxBytes);
  const wrapped = ((body[0] ?? 0) & 0x0f) === 8 && (((body[0] ?? 0) << 8) | (body[1] ?? 0)) % 31 === 0;
  return [await translated('deflate', maxBytes, () => (wrapped ? zlibInflate : rawInflate)(body, options))];
}

async function inflateZstd(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let left = maxBytes;
  for (const { start, end, contentBytes } of zstdFrames(body)) {
    if (contentBytes !== undefined && contentBytes > left) throw tooLarge(maxBytes);
    const frame = body.subarray(start, end);
    const options = sizes(frame, contentBytes ?? frame.length * 4, left);
    const part = await translated('zstd', maxBytes, () => unzstd(frame, options));
    left -= part.length;
    if (left < 0) throw tooLarge(maxBytes);
    parts.push(part);
  }
  return parts;
}

async function inflateLz4(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  const frames = lz4Frames(body, maxBytes);
  if (frames.reduce((sum, frame) => sum + frame.contentBytes, 0) > maxBytes) throw tooLarge(maxBytes);
  const parts: Uint8Array[] = [];
  for (const { start, end, contentBytes } of frames) {
    const part = await translated('lz4', maxBytes, () => decompressFrame(body.subarray(start, end)));
    if (part.length !== contentBytes) throw malformedBody('lz4', 'a frame is corrupt');
    parts.push(part);
  }
  return parts;
}

/**
 * node:zlib allocates one `chunkSize` after another and visits the thread pool for each; the right one saves
 * both. A declared length may be a lie, so no more than ten times what came is allocated on its word.
 */
function sizes(body: Uint8Array, expected: number, maxBytes: number): { chunkSize: number; maxOutputLength: number } {
  const guess = Math.min(expected + 64, body.length * 10, maxBytes);
  // zlib takes no maximum of zero; a part that may hold nothing more fails on its first byte but one.
  return { chunkSize: Math.max(guess, 16 * 1024), maxOutputLength: Math.max(maxBytes, 1) };
}

async function translated(encoding: string, maxBytes: number, run: () => Promise<Buffer>): Promise<Buffer> {
  try {
    return await run();
  } catch (error) {
    if (systemErrorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw malformedBody(encoding, error instanceof Error ? error.message : 'corrupt', error);
  }
}
