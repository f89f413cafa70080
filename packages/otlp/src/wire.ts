import { dataError } from '@vivace/kernel';

/**
 * The protobuf wire format (protobuf.dev/programming-guides/encoding): a bounded reader and a growing writer.
 * 64-bit values are two unsigned 32-bit halves, never a lossy number. Hot path: no closures, no allocation
 * per field. Reads may be from shared memory.
 */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_GROUP_START = 3;
export const WIRE_GROUP_END = 4;
export const WIRE_FIXED32 = 5;

/** Messages inside messages; protobuf's own default limit in C++ and Java. Deeper input is refused, not followed. */
export const MAX_MESSAGE_DEPTH = 100;

const TWO_32 = 4294967296;

/**
 * Reads `bytes[at, end)`. Everything that does not fit is an error of kind `data`; no length is believed
 * before it has been compared with what is left. Positions are public so that a caller can narrow `end`
 * to a nested message and set it back.
 */
export class ProtoReader {
  bytes: Uint8Array;
  at: number;
  end: number;
  /** Low and high half of the last `varint64` or `fixed64`. */
  lo = 0;
  hi = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const at = this.at;
    if (at < this.end) {
      const byte = this.bytes[at] as number;
      if (byte < 0x80 && byte >= 8) {
        this.at = at + 1;
        return byte;
      }
    }
    this.varint64();
    if (this.hi !== 0 || this.lo < 8) throw malformed('a field number is out of range', at);
    return this.lo;
  }

  /** An unsigned varint that a number holds exactly; larger ones are an error. For lengths and small integers. */
  varint(): number {
    const at = this.at;
    if (at < this.end) {
      const byte = this.bytes[at] as number;
      if (byte < 0x80) {
        this.at = at + 1;
        return byte;
      }
    }
    this.varint64();
    if (this.hi > 0x1fffff) throw malformed('an integer is too large', at);
    return this.hi * TWO_32 + this.lo;
  }

  /** Any varint, into `lo` and `hi`. */
  varint64(): void {
    const bytes = this.bytes;
    const start = this.at;
    let at = start;
    let lo = 0;
    let hi = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= this.end) throw malformed('a number is cut off', start);
      const byte = bytes[at++] as number;
      const part = byte & 0x7f;
      if (shift < 28) lo |= part << shift;
      else if (shift === 28) {
        lo |= part << 28;
        hi = part >>> 4;
      } else if (shift < 63) hi |= part << (shift - 32);
      else {
        if (part > 1) throw malformed('a number has more than 64 bits', start);
        hi |= part << 31;
      }
      if (byte < 0x80) {
        this.at = at;
        this.lo = lo >>> 0;
        this.hi = hi >>> 0;
        return;
      }
    }
    throw malformed('a number has more than 10 bytes', start);
  }

  fixed32(): number {
    const at = this.at;
    if (this.end - at < 4) throw malformed('a 4-byte value is cut off', at);
    this.at = at + 4;
    return readU32(this.bytes, at);
  }

  /** Into `lo` and `hi`. */
  fixed64(): void {
    const at = this.at;
    if (this.end - at < 8) throw malformed('an 8-byte value is cut off', at);
    this.at = at + 8;
    this.lo = readU32(this.bytes, at);
    this.hi = readU32(this.bytes, at + 4);
  }

  /** The length of a string, bytes or message, checked: `at + length` lies within `end`. */
  length(): number {
    const at = this.at;
    const length = this.varint();
    if (length > this.end - this.at) throw malformed(`a length of ${length} reaches beyond the end`, at);
    return length;
  }

  /** Steps over a value whose field is not known. */
  skip(wire: number, depth = 0): void {
    switch (wire) {
      case WIRE_VARINT:
        this.varint64();
        return;
      case WIRE_FIXED64:
        this.fixed64();
        return;
      case WIRE_BYTES: {
        const length = this.length();
        this.at += length;
        return;
      }
      case WIRE_FIXED32:
        this.fixed32();
        return;
      case WIRE_GROUP_START:
        this.skipGroup(depth);
        return;
      default:
        throw malformed(`wire type ${wire} does not exist`, this.at);
    }
  }

  private skipGroup(depth: number): void {
    if (depth >= MAX_MESSAGE_DEPTH) throw malformed('groups are nested too deeply', this.at);
    for (;;) {
      const wire = this.tag() & 7;
      if (wire === WIRE_GROUP_END) return;
      this.skip(wire, depth + 1);
    }
  }
}

function malformed(what: string, at: number): Error {
  return dataError('protobuf', `malformed protobuf: ${what}, at byte ${at}`);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

const scratch = new DataView(new ArrayBuffer(8));

/** The IEEE 754 double of two little-endian halves. */
export function doubleOf(lo: number, hi: number): number {
  scratch.setUint32(0, lo, true);
  scratch.setUint32(4, hi, true);
  return scratch.getFloat64(0, true);
}

/** Bytes that grow by doubling. `bytes` is replaced when it grows: do not keep it across a write. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  copy(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start;
    this.reserve(count);
    const target = this.bytes;
    let at = this.length;
    // Below this a loop is faster than making a view for `set`.
    if (count < 48) for (let i = start; i < end; i++) target[at++] = source[i] as number;
    else target.set(source.subarray(start, end), at);
    this.length += count;
  }

  /** What was written, as a view that the next write may overwrite or leave behind. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** What was written, as bytes of its own. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.subarray(0, this.length));
  }
}

/** Writes fields of protobuf messages; nested messages between `open` and `close`. */
export class ProtoWriter extends ByteWriter {
  tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  /** An unsigned integer below 2^53. */
  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  varint64(lo: number, hi: number): void {
    this.reserve(10);
    let low = lo >>> 0;
    let high = hi >>> 0;
    while (high !== 0 || low > 0x7f) {
      this.bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.bytes[this.length++] = low;
  }

  fixed32(value: number): void {
    this.reserve(4);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = value;
    bytes[at++] = value >>> 8;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 24;
    this.length = at;
  }

  fixed64(lo: number, hi: number): void {
    this.fixed32(lo);
    this.fixed32(hi);
  }

  double(value: number): void {
    scratch.setFloat64(0, value, true);
    this.fixed64(scratch.getUint32(0, true), scratch.getUint32(4, true));
  }

  /** A bytes or already encoded string or message field. */
  bytesField(field: number, value: Uint8Array, start = 0, end = value.length): void {
    this.tag(field, WIRE_BYTES);
    this.varint(end - start);
    this.copy(value, start, end);
  }

  stringField(field: number, text: string): void {
    this.bytesField(field, Buffer.from(text, 'utf8'));
  }

  /** Starts a length-prefixed field; give the result to `close` once its content is written. */
  open(field: number): number {
    this.tag(field, WIRE_BYTES);
    this.byte(0);
    return this.length;
  }

  /**
   * Ends a field started with `open`. One byte was kept for the length; content of 128 bytes or more moves up,
   * which costs one memmove a level and leaves lengths in their shortest form.
   */
  close(start: number): void {
    const count = this.length - start;
    if (count < 0x80) {
      this.bytes[start - 1] = count;
      return;
    }
    const extra = varintSize(count) - 1;
    this.reserve(extra);
    this.bytes.copyWithin(start + extra, start, start + count);
    this.length = start - 1;
    this.varint(count);
    this.length = start + extra + count;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}
