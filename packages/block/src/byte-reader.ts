import { dataError } from '@vivace/kernel';

/**
 * Reads what a ByteWriter wrote. Every read is checked against the end: bytes that are cut or damaged give a
 * `data` error (code `block-truncated`), whatever the checksums said.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, from = 0, to: number = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.end = Math.min(to, bytes.length);
  }

  u8(): number {
    if (this.at >= this.end) throw truncated(this.at);
    return this.bytes[this.at++] as number;
  }

  u32(): number {
    const at = this.skip(4);
    const { bytes } = this;
    return (
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)) >>>
      0
    );
  }

  /** A whole number up to 2^53 - 1. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw dataError('block-varint', `a number in a block is too long at byte ${this.at}`);
  }

  /** A varint that is at most `limit`: a length, count or code that something else bounds. */
  varintUpTo(limit: number): number {
    const value = this.varint();
    if (value > limit) throw dataError('block-range', `a number in a block is ${value}, more than ${limit}`);
    return value;
  }

  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw dataError('block-varint', `a number in a block is too long at byte ${this.at}`);
  }

  /** A view of the next bytes. */
  view(length: number): Uint8Array {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  /** A view of bytes preceded by their length. */
  block(): Uint8Array {
    return this.view(this.varint());
  }

  /** Moves on and returns where the skipped bytes begin. */
  skip(length: number): number {
    const at = this.at;
    if (length > this.end - at) throw truncated(at);
    this.at = at + length;
    return at;
  }
}

function truncated(at: number): Error {
  return dataError('block-truncated', `a block part ends early, at byte ${at}`);
}
