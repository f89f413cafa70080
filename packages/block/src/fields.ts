import { dataError } from '@vivace/kernel';

/** Protobuf wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

/**
 * Walks the fields of an encoded protobuf message, without knowing it. After `next` has returned true, the
 * field is in `field`, `wire` and, by wire type, `from … to - 1` (the content) and `value` (varints, low 53 bits).
 */
export class FieldWalker {
  field = 0;
  wire = 0;
  /** Content; of varints their bytes. */
  from = 0;
  to = 0;
  /** Where the field's tag begins. */
  start = 0;
  #at: number;
  readonly #end: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, from = 0, to: number = bytes.length) {
    this.bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** False at the end. Throws a `data` error (code `protobuf`) where the bytes are no message. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.start = this.#at;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.wire = tag & 7;
    this.from = this.#at;
    switch (this.wire) {
      case VARINT:
        this.#varint();
        break;
      case FIXED64:
        this.#at += 8;
        break;
      case BYTES: {
        const length = this.#varint();
        this.from = this.#at;
        this.#at += length;
        break;
      }
      case FIXED32:
        this.#at += 4;
        break;
      default:
        throw malformed();
    }
    if (this.#at > this.#end) throw malformed();
    this.to = this.#at;
    return true;
  }

  /** The content, a view. */
  content(): Uint8Array {
    return this.bytes.subarray(this.from, this.to);
  }

  /** The varint as 64 little-endian bits. */
  varintBytes(): Uint8Array {
    let value = 0n;
    let shift = 0n;
    for (let i = this.from; i < this.to && shift < 64n; i++, shift += 7n) {
      value |= BigInt((this.bytes[i] as number) & 0x7f) << shift;
    }
    return new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, value)).buffer);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#end) throw malformed();
      const byte = this.bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw malformed();
  }
}

function malformed(): Error {
  return dataError('protobuf', 'bytes that should be a protobuf message are not one');
}
