import { dataError, type VivaceError } from '@vivace/kernel';
import { type Source, sourceOf } from './source.ts';

// Hot path, see columnize.ts.

/** Of the varint of a tag or a length: other decoders refuse more, and so would whoever reads an answer. */
export const MAX_SHORT_BYTES = 5;

/**
 * Reads protobuf's wire format (protobuf.dev/programming-guides/encoding) in place. Every read is checked against
 * the end of the message it is in and throws a `data` error beyond it.
 */
export class WireScanner {
  protected source: Source = sourceOf(new Uint8Array(0));
  protected bytes: Uint8Array = this.source.bytes;
  protected view: DataView = this.source.view;
  /** Where the last varint or value ended. */
  protected next = 0;
  /** The high half of the last varint. */
  protected high = 0;

  protected open(request: Uint8Array): void {
    this.source = sourceOf(request);
    this.bytes = this.source.bytes;
    this.view = this.source.view;
  }

  /** A varint: the low 32 bits, unsigned; `high` has the high ones and `next` the place after it. */
  protected varint(at: number, end: number): number {
    const bytes = this.bytes;
    this.high = 0;
    if (at < end) {
      const byte = bytes[at] as number;
      if (byte < 128) {
        this.next = at + 1;
        return byte;
      }
    }
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw malformed('a varint is cut off');
      const byte = bytes[at++] as number;
      const bits = byte & 127;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      // The tenth byte has room for one bit.
      if (i === 9 && byte > 1) throw malformed('a varint has more than 64 bits');
      if (byte < 128) {
        this.next = at;
        this.high = high;
        return low >>> 0;
      }
    }
    throw malformed('a varint has more than 64 bits');
  }

  /** Field number × 8 + wire type; `next` is the place after it. */
  protected tag(at: number, end: number): number {
    const tag = this.varint(at, end);
    if (this.high !== 0 || this.next - at > MAX_SHORT_BYTES) throw malformed('a field number is too large');
    return tag;
  }

  /** The length of a nested message at `at`: returns its end, `next` is its start. */
  protected enter(at: number, end: number): number {
    const length = this.varint(at, end);
    const to = this.next + length;
    if (to > end || this.high !== 0 || this.next - at > MAX_SHORT_BYTES)
      throw malformed('a length goes beyond the end of its message');
    return to;
  }

  protected fixed(at: number, size: number, end: number): number {
    if (at + size > end) throw malformed('a fixed-size field is cut off');
    return at + size;
  }

  /** As `skip`, for a field without a column: a known number with another wire type than it must have is malformed. */
  protected skipUnknown(
    tag: number,
    at: number,
    end: number,
    highestKnown: number,
    allowed: readonly number[],
  ): number {
    if (tag >>> 3 <= highestKnown && !allowed.includes(tag)) throw malformed('a field has the wrong wire type');
    return this.skip(tag, at, end);
  }

  /** The place after a field whose tag was just read. */
  protected skip(tag: number, at: number, end: number): number {
    if (tag < 8) throw malformed('a field has number 0');
    switch (tag & 7) {
      case 0:
        this.varint(at, end);
        return this.next;
      case 1:
        return this.fixed(at, 8, end);
      case 2:
        return this.enter(at, end);
      case 5:
        return this.fixed(at, 4, end);
      default:
        throw malformed('a field has an unknown wire type');
    }
  }
}

export function malformed(what: string): VivaceError {
  return dataError('otlp-malformed', `the request is not an OTLP trace export: ${what}`);
}
