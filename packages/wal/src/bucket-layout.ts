import { checkTenant, crc32, dataError, isUuidV7, utf8Decode, utf8Encode } from '@vivace/kernel';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  HEADER_BYTES,
  RECORD_MAX_BYTES,
  TENANT_MAX_BYTES,
} from './layout.ts';
import type { SegmentPosition } from './log.ts';

/*
 * Keys and bytes of the log in a bucket; FORMAT.md has the tables and the reasons. An object is sections, footer,
 * trailer: whoever wants to know only whose records it has reads its end.
 */

/** `VIVACWLB` */
const MAGIC = Uint8Array.of(0x56, 0x49, 0x56, 0x41, 0x43, 0x57, 0x4c, 0x42);

export const TRAILER_BYTES: number = HEADER_BYTES;
/** A seal is nothing but a trailer, whose footer has no length. */
export const SEAL_BYTES: number = TRAILER_BYTES;

const ENTRY_BYTES = 24;
const LENGTH_AT = 4;
const RAW_LENGTH_AT = 8;
const RECORDS_AT = 12;
const CRC_AT = 16;
const TENANT_LENGTH_AT = 20;

/** Before each record of a section: its length. */
export const RECORD_HEAD_BYTES = 4;
/** Tenants of a segment; a writer ends it with the last. */
export const SECTIONS_MAX = 10_000;
/** A writer ends a segment here at the latest, unless a single record is longer. */
export const SEGMENT_RAW_MAX_BYTES: number = 64 * 1024 * 1024;
/** No section inflates to more. */
const SECTION_RAW_MAX_BYTES: number = RECORD_MAX_BYTES + RECORD_HEAD_BYTES;
const FOOTER_MAX_BYTES: number = SECTIONS_MAX * (ENTRY_BYTES + TENANT_MAX_BYTES) + 4;
/** No reader asks for a longer object. */
export const OBJECT_MAX_BYTES: number = SECTION_RAW_MAX_BYTES + FOOTER_MAX_BYTES + TRAILER_BYTES;

export const LEASES_PREFIX = 'streams/';
export const LOG_PREFIX = 'wal/';

export function leaseKey(stream: string): string {
  return LEASES_PREFIX + stream;
}

/** The stream whose lease a key names, or undefined when it is not one that this program makes. */
export function parseLeaseKey(key: string): string | undefined {
  const stream = key.slice(LEASES_PREFIX.length);
  return key.startsWith(LEASES_PREFIX) && isUuidV7(stream) ? stream : undefined;
}

/** Below two hex digits that are random, so that puts of many streams spread over the partitions of a store. */
export function segmentsPrefix(stream: string): string {
  return `${LOG_PREFIX}${stream.slice(-2)}/${stream}/`;
}

const NUMBER_DIGITS = 12;

export function segmentKey({ stream, segment }: SegmentPosition): string {
  return segmentsPrefix(stream) + String(segment).padStart(NUMBER_DIGITS, '0');
}

const SEGMENT_KEY = /^wal\/([0-9a-f]{2})\/([0-9a-f-]{36})\/(\d{12})$/;

/** What a key below `wal/` names, or undefined when it is not one that this program makes. */
export function parseSegmentKey(key: string): SegmentPosition | undefined {
  const [, folder, stream = '', digits] = SEGMENT_KEY.exec(key) ?? [];
  const segment = Number(digits);
  return isUuidV7(stream) && stream.endsWith(folder as string) && segment >= 1 ? { stream, segment } : undefined;
}

/** Where the records of one tenant lie in an object. */
export interface Section {
  tenant: string;
  offset: number;
  /** As stored; the same as `rawLength` where it is not compressed. */
  length: number;
  rawLength: number;
  records: number;
  /** Of the stored bytes, begun with the checksum of the trailer. */
  crc: number;
}

export interface Trailer {
  nonce: Uint8Array;
  /** 0: the object is a seal. */
  footerLength: number;
  crc: number;
}

export function footerLength(sections: readonly { tenant: string }[]): number {
  return sections.reduce((sum, { tenant }) => sum + ENTRY_BYTES + utf8Encode(tenant).length, 4);
}

/** The trailer, which every checksum in the object begins with; 0 for the length of the footer makes a seal. */
export function encodeTrailer({ stream, segment }: SegmentPosition, nonce: Uint8Array, footer: number): Uint8Array {
  return encodeSegmentHeader(stream, segment, nonce, { magic: MAGIC, extra: footer });
}

/** Throws `data` when the last bytes of an object are not those of this segment. */
export function decodeTrailer(at: SegmentPosition, bytes: Uint8Array): Trailer {
  const { stream, segment, nonce, extra, crc } = decodeSegmentHeader(bytes, MAGIC);
  if (stream !== at.stream || segment !== at.segment) {
    throw dataError('log-segment', `the object is segment ${segment} of stream ${stream}`);
  }
  if (extra > FOOTER_MAX_BYTES) throw dataError('log-segment', `the footer claims ${extra} bytes`);
  return { nonce, footerLength: extra, crc };
}

export function encodeFooter(sections: readonly Section[], seed: number): Uint8Array {
  const bytes = new Uint8Array(footerLength(sections));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { tenant, offset, length, rawLength, records, crc } of sections) {
    const name = utf8Encode(tenant);
    view.setUint32(at, offset, true);
    view.setUint32(at + LENGTH_AT, length, true);
    view.setUint32(at + RAW_LENGTH_AT, rawLength, true);
    view.setUint32(at + RECORDS_AT, records, true);
    view.setUint32(at + CRC_AT, crc, true);
    view.setUint16(at + TENANT_LENGTH_AT, name.length, true);
    bytes.set(name, at + ENTRY_BYTES);
    at += ENTRY_BYTES + name.length;
  }
  view.setUint32(at, crc32(bytes.subarray(0, at), seed), true);
  return bytes;
}

/** The sections that a footer names, in the order of their bytes. `end`: where the footer begins in the object. */
export function decodeFooter(bytes: Uint8Array, { seed, end }: { seed: number; end: number }): Section[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = bytes.length - 4;
  if (entries < ENTRY_BYTES || view.getUint32(entries, true) !== crc32(bytes.subarray(0, entries), seed)) {
    throw dataError('log-segment', 'the checksum of the footer is wrong');
  }
  const sections: Section[] = [];
  const tenants = new Set<string>();
  let offset = 0;
  for (let at = 0; at < entries; ) {
    if (sections.length === SECTIONS_MAX || at + ENTRY_BYTES > entries)
      throw dataError('log-segment', 'the footer has too many entries');
    const nameLength = view.getUint16(at + TENANT_LENGTH_AT, true);
    const nameAt = at + ENTRY_BYTES;
    const section: Section = {
      tenant: utf8Decode(bytes.subarray(nameAt, nameAt + nameLength)),
      offset: view.getUint32(at, true),
      length: view.getUint32(at + LENGTH_AT, true),
      rawLength: view.getUint32(at + RAW_LENGTH_AT, true),
      records: view.getUint32(at + RECORDS_AT, true),
      crc: view.getUint32(at + CRC_AT, true),
    };
    at = nameAt + nameLength;
    if (at > entries || nameLength > TENANT_MAX_BYTES || !isTenant(section.tenant) || tenants.has(section.tenant)) {
      throw dataError('log-segment', 'the footer names a tenant wrongly');
    }
    tenants.add(section.tenant);
    const { rawLength, length, records } = section;
    const fits = rawLength <= SECTION_RAW_MAX_BYTES && records > 0 && records * RECORD_HEAD_BYTES <= rawLength;
    if (!fits || length > rawLength || section.offset !== offset) {
      throw dataError('log-segment', 'the footer describes a section that cannot be');
    }
    offset += length;
    sections.push(section);
  }
  if (offset !== end) throw dataError('log-segment', 'the sections do not fill the segment');
  return sections;
}

function isTenant(name: string): boolean {
  try {
    checkTenant(name);
    return true;
  } catch {
    return false;
  }
}
