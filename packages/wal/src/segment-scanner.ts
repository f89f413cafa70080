import { crc32, isKind, type ReadableFile, utf8Decode } from '@vivace/kernel';
import {
  decodeSegmentHeader,
  HEADER_BYTES,
  RECORD_HEAD_BYTES,
  RECORD_LENGTH_AT,
  RECORD_MAX_BYTES,
  RECORD_TENANT_LENGTH_AT,
  RECORD_ZERO_AT,
  TENANT_MAX_BYTES,
} from './layout.ts';
import type { LogRecord } from './log.ts';

/** Bytes asked of the disk at once; a longer record is read in one piece. */
const READ_BYTES = 1024 * 1024;

/** The tenant of a record that only fills a group up to a block. */
const FILLER = '';

interface RecordHead {
  crc: number;
  length: number;
  tenantLength: number;
  /** Of the whole record. */
  bytes: number;
}

/**
 * Reads the records of a segment from its beginning until its end or the first byte that is not right. Holds
 * one read at a time, so memory is bounded by the longest record, and that by the file.
 */
export class SegmentScanner {
  /** Where the records read so far end. */
  offset = 0;
  /** Why there is nothing more although the end is not reached. */
  damage: string | undefined;
  readonly #file: ReadableFile;
  readonly #end: number;
  #seed = 0;
  #headerBytes = 0;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  /** `end`: nothing from here on is read. */
  constructor(file: ReadableFile, end: number) {
    this.#file = file;
    this.#end = end;
  }

  /** Reads the header; false when it is not that of this segment, with `damage` set. */
  async begin(stream: string, segment: number): Promise<boolean> {
    if (this.#end === 0) {
      this.damage = 'the segment is empty';
      return false;
    }
    try {
      const header = decodeSegmentHeader(await this.#bytes(0, Math.min(HEADER_BYTES, this.#end)));
      if (header.stream !== stream || header.segment !== segment) {
        this.damage = `the file is segment ${header.segment} of stream ${header.stream}`;
        return false;
      }
      if (header.bytes > this.#end) {
        this.damage = 'the segment ends in its header';
        return false;
      }
      this.#seed = header.crc;
      this.#headerBytes = header.bytes;
      this.offset = header.bytes;
      return true;
    } catch (error) {
      if (!isKind(error, 'data')) throw error;
      this.damage = error.message;
      return false;
    }
  }

  /** The next record, or undefined at the end or at damage. Its bytes are never written again. */
  async next(): Promise<LogRecord | undefined> {
    while (this.damage === undefined && this.offset < this.#end) {
      const result = await this.#record(this.offset);
      if (typeof result === 'string') {
        this.damage = result;
        return undefined;
      }
      this.offset += result.size;
      if (result.record.tenant !== FILLER) return result.record;
    }
    return undefined;
  }

  /** Whether the segment goes on after its header. */
  get begun(): boolean {
    return this.offset > 0 && this.#end > this.#headerBytes;
  }

  /**
   * Whether a right record stands where the damaged one says that it ends: then the damage is not a torn write. What
   * fills the group of the damaged one does not count.
   */
  async recordFollows(): Promise<boolean> {
    if (this.offset < HEADER_BYTES) return false;
    const head = await this.#head(this.offset);
    if (typeof head === 'string') return false;
    for (let at = this.offset + head.bytes; at < this.#end; ) {
      const result = await this.#record(at);
      if (typeof result === 'string') return false;
      if (result.record.tenant !== FILLER) return true;
      at += result.size;
    }
    return false;
  }

  async #record(at: number): Promise<{ record: LogRecord; size: number } | string> {
    const head = await this.#head(at);
    if (typeof head === 'string') return head;
    const bytes = await this.#bytes(at, head.bytes);
    if (bytes.length < head.bytes) return 'the segment got shorter while it was read';
    if (crc32(bytes.subarray(RECORD_LENGTH_AT), this.#seed) !== head.crc) return 'the checksum of a record is wrong';
    const bodyAt = RECORD_HEAD_BYTES + head.tenantLength;
    const tenant = utf8Decode(bytes.subarray(RECORD_HEAD_BYTES, bodyAt));
    return { record: { tenant, bytes: bytes.subarray(bodyAt) }, size: head.bytes };
  }

  /** The lengths of a record, checked against what is left of the segment before anything of that size is read. */
  async #head(at: number): Promise<RecordHead | string> {
    const left = this.#end - at;
    if (left < RECORD_HEAD_BYTES) return 'the segment ends in the head of a record';
    const bytes = await this.#bytes(at, RECORD_HEAD_BYTES);
    if (bytes.length < RECORD_HEAD_BYTES) return 'the segment got shorter while it was read';
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = view.getUint32(RECORD_LENGTH_AT, true);
    const tenantLength = view.getUint16(RECORD_TENANT_LENGTH_AT, true);
    if (tenantLength > TENANT_MAX_BYTES || view.getUint16(RECORD_ZERO_AT, true) !== 0) {
      return 'what should be the head of a record is none';
    }
    const size = RECORD_HEAD_BYTES + tenantLength + length;
    if (length > RECORD_MAX_BYTES) return `a record claims to be too long: ${length} bytes`;
    if (size > left) return 'the segment ends in a record';
    return { crc: view.getUint32(0, true), length, tenantLength, bytes: size };
  }

  /** `length` bytes at `at`, fewer only when the file has fewer. */
  async #bytes(at: number, length: number): Promise<Uint8Array> {
    if (at < this.#windowAt || at + length > this.#windowAt + this.#window.length) {
      const wanted = Math.min(Math.max(length, READ_BYTES), this.#end - at);
      this.#window = await this.#file.read(at, wanted);
      this.#windowAt = at;
    }
    const from = at - this.#windowAt;
    return this.#window.subarray(from, from + length);
  }
}
