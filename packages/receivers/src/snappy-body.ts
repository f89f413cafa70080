import { tooLarge } from '@vivace/http';
import { uncompress } from 'snappy';
import { malformedBody } from './request-errors.ts';

const STREAM_IDENTIFIER = Buffer.from([0xff, 0x06, 0x00, 0x00, ...Buffer.from('sNaPpY')]);
/** A chunk of the framed format holds at most this much, inflated. */
const MAX_CHUNK_BYTES = 65536;
/** Each chunk costs a visit to the thread pool; 64 MiB in the 1 KiB chunks of an eager flusher. */
const MAX_CHUNKS = 65536;
/** A copy of 64 bytes takes 3: nothing inflates more, so a longer declared length is a lie. */
const MAX_RATIO = 22;

/**
 * Inflates snappy, the block or the framed format whichever it is: Collectors send both under the name
 * `snappy`. Lengths are declared in front, and compared with the limit and with what is possible first.
 */
export async function inflateSnappy(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  // A framed stream of nothing has no identifier either.
  if (body.length === 0) return [];
  if (isFramed(body)) return inflateFrames(body, maxBytes);
  return [await inflateBlock(body, maxBytes)];
}

function isFramed(body: Uint8Array): boolean {
  return body.length >= STREAM_IDENTIFIER.length && STREAM_IDENTIFIER.every((byte, i) => byte === body[i]);
}

async function inflateBlock(block: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const declared = declaredBytes(block);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  if (declared > block.length * MAX_RATIO) throw malformedBody('snappy', 'it declares more than it can hold');
  try {
    return (await uncompress(block)) as Buffer;
  } catch (error) {
    throw malformedBody('snappy', error instanceof Error ? error.message : 'corrupt', error);
  }
}

/** The varint in front of a block. */
function declaredBytes(block: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i];
    if (byte === undefined) throw malformedBody('snappy', 'it is cut off');
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return value;
  }
  throw malformedBody('snappy', 'its length is malformed');
}

/** The framed format (google/snappy, framing_format.txt). */
async function inflateFrames(body: Uint8Array, maxBytes: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < body.length; ) {
    if (body.length - at < 4) throw malformedBody('snappy', 'a chunk is cut off');
    const type = body[at] as number;
    const start = at + 4;
    const end = start + ((body[at + 1] as number) | ((body[at + 2] as number) << 8) | ((body[at + 3] as number) << 16));
    if (end > body.length) throw malformedBody('snappy', 'a chunk is cut off');
    at = end;
    if (type >= 0x80) continue; // stream identifier, padding, and others that may be skipped
    if (type > 1) throw malformedBody('snappy', `a chunk of type ${type}`);
    if (end - start < 4) throw malformedBody('snappy', 'a chunk is cut off');
    const data = body.subarray(start + 4, end);
    const declared = type === 1 ? data.length : declaredBytes(data);
    if (declared > MAX_CHUNK_BYTES) throw malformedBody('snappy', 'a chunk is too large');
    total += declared;
    if (total > maxBytes) throw tooLarge(maxBytes);
    const part = type === 1 ? data : await inflateBlock(data, MAX_CHUNK_BYTES);
    if (maskedCrc32c(part) !== readU32(body, start)) throw malformedBody('snappy', 'a checksum does not match');
    if (parts.push(part) > MAX_CHUNKS) throw malformedBody('snappy', 'it has too many chunks');
  }
  return parts;
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** CRC-32C (Castagnoli), masked as the framing format says. zlib's crc32 has another polynomial. */
function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) {
    crc = (CRC32C[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const CRC32C = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});
