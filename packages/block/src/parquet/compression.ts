import { zstdDecompressSync } from 'node:zlib';
import { dataError } from '@vivace/kernel';
import { inflateInto } from './inflater.ts';

/** A page that zstd makes less than this much smaller stays as it is: a call to inflate costs 15 to 30 µs. */
export const WORTHWHILE = 0.88;

/** Smaller pages are not tried. */
export const SMALLEST_TO_COMPRESS = 96;

/** Largest body before compression that a reader allocates for. */
export const MAX_RAW_PAGE_BYTES = 1 << 30;

/** What is allocated before it is known that a frame really holds so much: so many bytes, or so many times its own. */
const BELIEVED_BYTES = 1 << 20;
const BELIEVED_RATIO = 64;

export { deflate as compress } from './deflater.ts';

/** The frame's `rawBytes` bytes, in memory of their own; anything else in it is a `data` error (code `block-zstd`). */
export function decompress(bytes: Uint8Array, rawBytes: number): Uint8Array {
  if (rawBytes <= Math.max(BELIEVED_BYTES, BELIEVED_RATIO * bytes.length)) {
    return decompressInto(bytes, rawBytes, new Uint8Array(rawBytes + 1));
  }
  if (rawBytes > MAX_RAW_PAGE_BYTES) throw dataError('block-zstd', `a page of a block claims ${rawBytes} bytes`);
  let raw: Uint8Array;
  try {
    // That were a great deal to allocate on the word of a few bytes.
    const chunkSize = Math.max(BELIEVED_BYTES, BELIEVED_RATIO * bytes.length);
    raw = zstdDecompressSync(bytes, { chunkSize, maxOutputLength: rawBytes });
  } catch (error) {
    throw dataError('block-zstd', 'a page of a block does not inflate', error);
  }
  if (raw.length !== rawBytes) throw notSoLong(rawBytes);
  return raw;
}

/** The same into the first `rawBytes` bytes of `room`, which has one byte more. */
export function decompressInto(bytes: Uint8Array, rawBytes: number, room: Uint8Array): Uint8Array {
  if (!inflateInto(bytes, room.subarray(0, rawBytes + 1))) throw notSoLong(rawBytes);
  return room.subarray(0, rawBytes);
}

function notSoLong(rawBytes: number): Error {
  return dataError('block-zstd', `a page of a block does not inflate to ${rawBytes} bytes`);
}
