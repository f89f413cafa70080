import { assert, crc32, hexToBytes, utf8Encode } from '@vivace/kernel';
import { FORMAT_VERSION, HEADER_BYTES, MAX_TEXT_BYTES, TRAILER_BYTES } from './layout.ts';

/** Writes the primitives of FORMAT.md into a growing buffer, between the header and the checksum of a file. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = HEADER_BYTES;

  /** Bytes of the whole file if it ended here. */
  get length(): number {
    return this.#length + TRAILER_BYTES;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u64(value: bigint): void {
    assert(value >= 0n && value < 1n << 64n, 'a time is not an unsigned 64-bit number');
    this.#room(8);
    this.#view.setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** LEB128 of a whole number from 0 to 2^53 − 1. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'not a whole number from 0 to 2^53 - 1');
    this.#room(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  text(value: string): void {
    const bytes = utf8Encode(value);
    assert(bytes.length <= MAX_TEXT_BYTES, 'a name is too long for the manifest');
    this.varint(bytes.length);
    this.#raw(bytes);
  }

  /** 16 bytes, given as 32 hex digits with or without the hyphens of a UUID. */
  id(value: string): void {
    const bytes = hexToBytes(value.length === 36 ? value.replaceAll('-', '') : value);
    assert(bytes.length === 16, 'not an id of 16 bytes');
    this.#raw(bytes);
  }

  finish(magic: number, kind: number): Uint8Array {
    this.#room(TRAILER_BYTES);
    this.#view.setUint32(0, magic, true);
    this.#view.setUint16(4, FORMAT_VERSION, true);
    this.#view.setUint16(6, kind, true);
    this.#view.setUint32(8, this.length, true);
    this.#view.setUint32(this.#length, crc32(this.#bytes.subarray(0, this.#length)), true);
    return this.#bytes.subarray(0, this.length);
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const bytes = new Uint8Array((this.#bytes.length + length) * 2);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
