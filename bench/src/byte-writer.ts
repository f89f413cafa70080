/**
 * Protobuf bytes into one growing buffer. Hot path of the dataset generator (`npm run bench -- micro` shows its
 * speed): no allocation a field, text is ASCII, lengths are patched in afterwards.
 */

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);
const HEX = new Uint8Array(16).map((_, digit) => '0123456789abcdef'.charCodeAt(digit));

export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  reset(): void {
    this.length = 0;
  }

  /** What was written so far: a view, valid until the next write. */
  view(from = 0): Uint8Array {
    return this.bytes.subarray(from, this.length);
  }

  /** Room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, needed));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  put(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A base-128 varint of an integer in [0, 2^53). */
  varint(value: number): void {
    this.reserve(10);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  fixed32(value: number): void {
    this.reserve(4);
    for (let shift = 0; shift < 32; shift += 8) this.bytes[this.length++] = (value >>> shift) & 255;
  }

  /** A 64-bit number from its two halves, little-endian. */
  fixed64(high: number, low: number): void {
    this.fixed32(low);
    this.fixed32(high);
  }

  /** Eight bytes of an id, big-endian, so that the halves read as hex digits do. */
  id64(high: number, low: number): void {
    this.reserve(8);
    for (let shift = 24; shift >= 0; shift -= 8) this.bytes[this.length++] = (high >>> shift) & 255;
    for (let shift = 24; shift >= 0; shift -= 8) this.bytes[this.length++] = (low >>> shift) & 255;
  }

  double(value: number): void {
    float[0] = value;
    this.put(floatBytes);
  }

  /** A non-negative integer in decimal digits. */
  decimal(value: number): void {
    const digits = decimalDigits(value);
    this.reserve(digits);
    let rest = value;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      this.bytes[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.length += digits;
  }

  /** Eight lower-case hex digits of an unsigned 32-bit number. */
  hex32(value: number): void {
    this.reserve(8);
    for (let shift = 28; shift >= 0; shift -= 4) this.bytes[this.length++] = HEX[(value >>> shift) & 15] as number;
  }

  /** Leaves room for a length and returns the place to give to `closeLength`. */
  openLength(): number {
    this.reserve(2);
    this.length += 2;
    return this.length;
  }

  /** Writes the length of what came since `openLength`, as short as it can be. */
  closeLength(start: number): void {
    const size = this.length - start;
    const needed = varintLength(size);
    if (needed !== 2) {
      this.reserve(needed);
      this.bytes.copyWithin(start - 2 + needed, start, this.length);
    }
    const end = start - 2 + needed + size;
    this.length = start - 2;
    this.varint(size);
    this.length = end;
  }
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}

export function decimalDigits(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}
