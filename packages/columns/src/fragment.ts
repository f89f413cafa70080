import { type Source, sourceOf } from './source.ts';

/** A growing piece of an encoded protobuf message, used again for the next one after `clear`. */
export class Fragment {
  length = 0;
  source: Source = sourceOf(new Uint8Array(1024));

  clear(): void {
    this.length = 0;
  }

  /** Whole fields as they are. */
  addRaw(bytes: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    this.source.bytes.set(bytes.subarray(from, to), this.length);
    this.length += to - from;
  }

  /** A length-delimited field with a one-byte tag. */
  addBytes(tag: number, bytes: Uint8Array, from: number, to: number): void {
    this.#reserve(6 + to - from);
    this.source.bytes[this.length++] = tag;
    this.#addLength(to - from);
    this.addRaw(bytes, from, to);
  }

  /** A message field that holds one length-delimited field. */
  addNested(tag: number, innerTag: number, bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    this.#reserve(12 + length);
    this.source.bytes[this.length++] = tag;
    this.#addLength(1 + varintLength(length) + length);
    this.addBytes(innerTag, bytes, from, to);
  }

  addByte(byte: number): void {
    this.#reserve(1);
    this.source.bytes[this.length++] = byte;
  }

  /** A varint of at most 32 bits. */
  addVarint(value: number): void {
    this.#reserve(5);
    this.#addLength(value);
  }

  /** A varint of 64 bits given as unsigned halves. */
  addVarint64(low: number, high: number): void {
    this.#reserve(10);
    let a = low;
    let b = high;
    while (b !== 0 || a > 127) {
      this.source.bytes[this.length++] = (a & 127) | 128;
      a = ((a >>> 7) | (b << 25)) >>> 0;
      b >>>= 7;
    }
    this.source.bytes[this.length++] = a;
  }

  addFixed32(value: number): void {
    this.#reserve(4);
    this.source.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  addFixed64(low: number, high: number): void {
    this.addFixed32(low);
    this.addFixed32(high);
  }

  /** A copy of what is here. */
  take(): Uint8Array {
    return this.source.bytes.slice(0, this.length);
  }

  #addLength(value: number): void {
    let rest = value >>> 0;
    while (rest > 127) {
      this.source.bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.source.bytes[this.length++] = rest;
  }

  #reserve(length: number): void {
    const needed = this.length + length;
    if (needed <= this.source.bytes.length) return;
    let size = this.source.bytes.length * 2;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.source.bytes.subarray(0, this.length));
    this.source = sourceOf(grown);
  }
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}
