import { isUtf8 } from 'node:buffer';
import { bytesToHex, crc32, dataError, utf8Decode, type VivaceError } from '@vivace/kernel';
import {
  FILE_MAX_BYTES,
  FIRST_FORMAT_VERSION,
  FORMAT_VERSION,
  HEADER_BYTES,
  MAX_TEXT_BYTES,
  TRAILER_BYTES,
} from './layout.ts';

/**
 * Reads the primitives of FORMAT.md from a file whose header, length and checksum are right. Everything that is
 * not as the format says is a `data` error that names the file.
 */
export class ByteReader {
  /** Of the file. */
  readonly version: number;
  readonly #name: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array, magic: number, kind: number, name: string) {
    this.#name = name;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length - TRAILER_BYTES;
    if (bytes.length < HEADER_BYTES + TRAILER_BYTES) throw this.damage('it is too short');
    if (bytes.length > FILE_MAX_BYTES) throw this.damage('it is too long');
    if (this.#view.getUint32(0, true) !== magic) throw this.damage('it does not begin as such a file does');
    if (this.#view.getUint32(8, true) !== bytes.length) throw this.damage('its length is not the one in its header');
    if (this.#view.getUint32(this.#end, true) !== crc32(bytes.subarray(0, this.#end))) {
      throw this.damage('its checksum is wrong');
    }
    this.version = this.#view.getUint16(4, true);
    if (this.version < FIRST_FORMAT_VERSION || this.version > FORMAT_VERSION) {
      throw this.damage(`it is of format ${this.version}, and this program knows ${FORMAT_VERSION}`);
    }
    if (this.#view.getUint16(6, true) !== kind) throw this.damage('it is of another kind');
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw this.damage('a number is too large');
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** How many items follow, each of at least `minBytes`: never more than can be there. */
  count(minBytes: number): number {
    const count = this.varint();
    if (count * minBytes > this.#end - this.#at) throw this.damage('a list is longer than the file');
    return count;
  }

  text(): string {
    const length = this.varint();
    if (length > MAX_TEXT_BYTES) throw this.damage('a name is too long');
    const at = this.#take(length);
    const bytes = this.#bytes.subarray(at, at + length);
    // Decoded, such a name would be another one, and longer than it may be when it is written again.
    if (!isUtf8(bytes)) throw this.damage('a name is not UTF-8');
    return utf8Decode(bytes);
  }

  /** 32 hex digits. */
  id(): string {
    const at = this.#take(16);
    return bytesToHex(this.#bytes.subarray(at, at + 16));
  }

  uuid(): string {
    const hex = this.id();
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  finish(): void {
    if (this.#at !== this.#end) throw this.damage('bytes follow its content');
  }

  damage(what: string): VivaceError {
    return dataError('manifest-damaged', `${this.#name} cannot be read: ${what}`);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw this.damage('it ends too early');
    this.#at = at + length;
    return at;
  }
}
