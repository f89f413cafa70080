import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { crc32, dataError, freeMemory } from '@vivace/kernel';
import {
  decodeFooter,
  decodeTrailer,
  encodeFooter,
  encodeTrailer,
  footerLength,
  RECORD_HEAD_BYTES,
  type Section,
  TRAILER_BYTES,
} from './bucket-layout.ts';
import { segmentHeaderCrc } from './layout.ts';
import type { LogRecord, SegmentPosition } from './log.ts';

/* Records to the object of a segment and back. Encoding is on the write path; benchmark: bucket-log.bench.ts. */

const PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Smaller sections stay as they are: their frame would save nothing. */
const SMALLEST_TO_COMPRESS = 96;
/** From here on a thread of the pool compresses; below, handing it over costs more. */
const POOL_BYTES = 32 * 1024;
/** What is allocated before it is known that a frame really holds so much: so many bytes, or so many times its own. */
const BELIEVED_BYTES = 1024 * 1024;
const BELIEVED_RATIO = 64;

/** The parts of the object, in order. The records may change as soon as it has returned. */
export async function encodeSegment(
  at: SegmentPosition,
  nonce: Uint8Array,
  tenants: ReadonlyMap<string, readonly Uint8Array[]>,
): Promise<Uint8Array[]> {
  const joined = Array.from(tenants, ([tenant, records]) => {
    return { tenant, records: records.length, raw: joinRecords(records) };
  });
  const trailer = encodeTrailer(at, nonce, footerLength(joined));
  const seed = segmentHeaderCrc(trailer);
  const sections: Section[] = [];
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const { tenant, records, raw } of joined) {
    const rawLength = raw.length;
    const stored = await compressed(raw);
    const { length } = stored;
    sections.push({ tenant, offset, length, rawLength, records, crc: crc32(stored, seed) });
    parts.push(stored);
    offset += length;
  }
  return [...parts, encodeFooter(sections, seed), trailer];
}

export function encodeSeal(at: SegmentPosition, nonce: Uint8Array): Uint8Array {
  return encodeTrailer(at, nonce, 0);
}

/** What the end of a segment's object says. */
export interface SegmentFooter {
  sections: Section[];
  /** The checksum of the trailer. */
  seed: number;
}

/**
 * Reads the end of an object of `size` bytes, of which `tail` has the last. Gives the bytes that it needs when these
 * are too few, `seal` for a seal; throws `data` for what is neither.
 */
export function readSegmentEnd(at: SegmentPosition, tail: Uint8Array, size: number): SegmentFooter | 'seal' | number {
  if (size < TRAILER_BYTES) throw dataError('log-segment', `the object has ${size} bytes`);
  const { footerLength: length, crc } = decodeTrailer(at, tail.subarray(tail.length - TRAILER_BYTES));
  if (length === 0) {
    if (size > TRAILER_BYTES) throw dataError('log-segment', 'a seal has a trailer only');
    return 'seal';
  }
  const end = size - TRAILER_BYTES - length;
  if (end < 0) throw dataError('log-segment', `the object of ${size} bytes is shorter than its footer`);
  if (tail.length < length + TRAILER_BYTES) return length + TRAILER_BYTES;
  const footerAt = tail.length - TRAILER_BYTES - length;
  const footer = tail.subarray(footerAt, footerAt + length);
  return { sections: decodeFooter(footer, { seed: crc, end }), seed: crc };
}

/** The records of a section, out of the whole object. Throws `data` for what is not as the footer says. */
export function* decodeSection(object: Uint8Array, section: Section, seed: number): Generator<LogRecord> {
  const { tenant, offset, length, rawLength } = section;
  const stored = object.subarray(offset, offset + length);
  if (stored.length !== length || crc32(stored, seed) !== section.crc) {
    throw dataError('log-segment', `the checksum of a section is wrong, of tenant ${tenant}`);
  }
  const raw = length === rawLength ? stored : inflated(stored, rawLength);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  let at = 0;
  for (let left = section.records; left > 0; left--) {
    const end = at + RECORD_HEAD_BYTES + (at + RECORD_HEAD_BYTES <= raw.length ? view.getUint32(at, true) : 0);
    if (end > raw.length) throw dataError('log-segment', `a record reaches beyond its section, of tenant ${tenant}`);
    yield { tenant, bytes: raw.subarray(at + RECORD_HEAD_BYTES, end) };
    at = end;
  }
  if (at !== raw.length) throw dataError('log-segment', `a section has more than its records, of tenant ${tenant}`);
}

function joinRecords(records: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const record of records) length += RECORD_HEAD_BYTES + record.length;
  const raw = new Uint8Array(length);
  const view = new DataView(raw.buffer);
  let at = 0;
  for (const record of records) {
    view.setUint32(at, record.length, true);
    raw.set(record, at + RECORD_HEAD_BYTES);
    at += RECORD_HEAD_BYTES + record.length;
  }
  return raw;
}

async function compressed(raw: Uint8Array): Promise<Uint8Array> {
  if (raw.length < SMALLEST_TO_COMPRESS) return raw;
  const options = { params: PARAMS, chunkSize: Math.max(64, raw.length + (raw.length >>> 7) + 64) };
  const frame =
    raw.length < POOL_BYTES
      ? zstdCompressSync(raw, options)
      : await new Promise<Uint8Array>((resolve, reject) => {
          zstdCompress(raw, options, (error, result) => (error ? reject(error) : resolve(result)));
        });
  if (frame.length >= raw.length) return raw;
  if (raw.length < POOL_BYTES) return frame;
  // Both buffers are as long as the records. Left to the garbage collector they cost a full collection every few
  // segments, which is more than compressing them.
  const own = new Uint8Array(frame);
  // A frame that came in pieces lies in memory of others.
  if (frame.buffer.byteLength === options.chunkSize) freeMemory(new Uint8Array(frame.buffer));
  freeMemory(raw);
  return own;
}

function inflated(stored: Uint8Array, rawLength: number): Uint8Array {
  let raw: Uint8Array;
  try {
    // No more memory at once than the frame makes believable.
    const chunkSize = Math.min(rawLength + 1, Math.max(BELIEVED_BYTES, BELIEVED_RATIO * stored.length));
    raw = zstdDecompressSync(stored, { chunkSize: Math.max(64, chunkSize), maxOutputLength: rawLength });
  } catch (error) {
    throw dataError('log-segment', 'a section does not inflate', error);
  }
  if (raw.length !== rawLength) throw dataError('log-segment', `a section does not inflate to ${rawLength} bytes`);
  return raw;
}
