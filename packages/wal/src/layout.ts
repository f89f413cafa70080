import { bytesToHex, crc32, dataError, hexToBytes } from '@vivace/kernel';

/*
 * The bytes of a segment on disk; FORMAT.md has the tables and the reasons.
 */

/** `VIVACWAL` */
const MAGIC = Uint8Array.of(0x56, 0x49, 0x56, 0x41, 0x43, 0x57, 0x41, 0x4c);
const VERSION = 1;
/** Of a header without the zeros that may fill it up to a block of the disk. */
export const HEADER_BYTES = 64;
const HEADER_MAX_BYTES = 64 * 1024;
export const NONCE_BYTES = 16;

const VERSION_AT = 8;
const HEADER_BYTES_AT = 12;
const NONCE_AT = 16;
const STREAM_AT = 32;
const SEGMENT_AT = 48;
const EXTRA_AT = 56;
const HEADER_CRC_AT = 60;

/** Before the tenant: crc32, length of the bytes, length of the tenant, zero. */
export const RECORD_HEAD_BYTES = 12;
export const RECORD_LENGTH_AT = 4;
export const RECORD_TENANT_LENGTH_AT = 8;
export const RECORD_ZERO_AT = 10;

/** A tenant id has at most 150 characters; in UTF-8 none takes more than four bytes. */
export const TENANT_MAX_BYTES = 600;
/** No writer makes a longer record, so no reader takes a longer one for true. */
export const RECORD_MAX_BYTES = 256 * 1024 * 1024;

export interface SegmentHeader {
  nonce: Uint8Array;
  /** UUIDv7 */
  stream: string;
  segment: number;
  /** A number whose meaning is the form's; 0 on the disk. */
  extra: number;
  /** Where the first record begins. */
  bytes: number;
  /** The checksum of the header, with which every checksum in the segment begins. */
  crc: number;
}

/**
 * The same 64 bytes say what a segment is on the disk and in the bucket; their first eight tell which. Zeros fill them
 * up to a multiple of `blockBytes`.
 */
export function encodeSegmentHeader(
  stream: string,
  segment: number,
  nonce: Uint8Array,
  { magic = MAGIC, extra = 0, blockBytes = 1 }: { magic?: Uint8Array; extra?: number; blockBytes?: number } = {},
): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(HEADER_BYTES / blockBytes) * blockBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(VERSION_AT, VERSION, true);
  view.setUint32(HEADER_BYTES_AT, bytes.length, true);
  bytes.set(nonce, NONCE_AT);
  bytes.set(hexToBytes(stream.replaceAll('-', '')), STREAM_AT);
  view.setUint32(SEGMENT_AT, segment % 2 ** 32, true);
  view.setUint32(SEGMENT_AT + 4, Math.floor(segment / 2 ** 32), true);
  view.setUint32(EXTRA_AT, extra, true);
  view.setUint32(HEADER_CRC_AT, crc32(bytes.subarray(0, HEADER_CRC_AT)), true);
  return bytes;
}

/** The checksum that `encodeSegmentHeader` put at the end of a header. */
export function segmentHeaderCrc(header: Uint8Array): number {
  return new DataView(header.buffer, header.byteOffset).getUint32(HEADER_CRC_AT, true);
}

/** Throws `data` when the bytes are not the header of a segment of a known version. */
export function decodeSegmentHeader(bytes: Uint8Array, magic: Uint8Array = MAGIC): SegmentHeader {
  if (bytes.length < HEADER_BYTES) {
    throw dataError('segment-header', `the segment ends in its header: ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let i = 0; i < magic.length; i++) {
    if (bytes[i] !== magic[i]) throw dataError('segment-header', 'the file does not begin as a log segment does');
  }
  const version = view.getUint32(VERSION_AT, true);
  if (version !== VERSION) {
    throw dataError('segment-version', `the segment has a version that this program does not know: ${version}`);
  }
  const crc = view.getUint32(HEADER_CRC_AT, true);
  if (crc32(bytes.subarray(0, HEADER_CRC_AT)) !== crc) {
    throw dataError('segment-header', 'the checksum of the segment header is wrong');
  }
  const headerBytes = view.getUint32(HEADER_BYTES_AT, true);
  if (headerBytes < HEADER_BYTES || headerBytes > HEADER_MAX_BYTES) {
    throw dataError('segment-header', `the segment header has an impossible length: ${headerBytes} bytes`);
  }
  const hex = bytesToHex(bytes.subarray(STREAM_AT, STREAM_AT + 16));
  return {
    nonce: bytes.slice(NONCE_AT, NONCE_AT + NONCE_BYTES),
    stream: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    segment: view.getUint32(SEGMENT_AT, true) + view.getUint32(SEGMENT_AT + 4, true) * 2 ** 32,
    extra: view.getUint32(EXTRA_AT, true),
    bytes: headerBytes,
    crc,
  };
}

/**
 * A record of no tenant: bytes that fill a group up to a multiple of `blockBytes`. Empty where none are missing.
 * `seed` is the checksum of the segment's header.
 */
export function encodeFiller(groupBytes: number, blockBytes: number, seed: number): Uint8Array {
  let length = Math.ceil(groupBytes / blockBytes) * blockBytes - groupBytes;
  while (length > 0 && length < RECORD_HEAD_BYTES) length += blockBytes;
  const bytes = new Uint8Array(length);
  if (length === 0) return bytes;
  const view = new DataView(bytes.buffer);
  view.setUint32(RECORD_LENGTH_AT, length - RECORD_HEAD_BYTES, true);
  view.setUint32(0, crc32(bytes.subarray(RECORD_LENGTH_AT), seed), true);
  return bytes;
}

const SEGMENT_NAME = /^(\d{20})\.seg$/;

export function segmentFileName(segment: number): string {
  return `${String(segment).padStart(20, '0')}.seg`;
}

/** The number in a segment's file name, or undefined when the name is not one that this program gives. */
export function parseSegmentFileName(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  const segment = digits === undefined ? 0 : Number(digits);
  return segment >= 1 && Number.isSafeInteger(segment) ? segment : undefined;
}
