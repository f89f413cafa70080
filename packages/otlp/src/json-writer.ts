import { utf8Decode } from '@vivace/kernel';
import { ByteWriter } from './wire.ts';

/** Writes the scalars of JSON as bytes, straight from the bytes of protobuf. Hot path: no string for plain ASCII. */
export class JsonWriter extends ByteWriter {
  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) this.bytes[this.length++] = text.charCodeAt(i);
  }

  /** A JSON string of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
  string(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start + 2);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = source[i] as number;
      if (PLAIN[byte] === 0) {
        this.copy(Buffer.from(JSON.stringify(utf8Decode(source.subarray(start, end))), 'utf8'));
        return;
      }
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  hex(source: Uint8Array, start: number, end: number): void {
    this.reserve((end - start) * 2 + 2);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = source[i] as number;
      bytes[at++] = HEX[byte >>> 4] as number;
      bytes[at++] = HEX[byte & 15] as number;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** Standard base64 with padding (RFC 4648, section 4). */
  base64(source: Uint8Array, start: number, end: number): void {
    this.reserve(Math.ceil((end - start) / 3) * 4 + 2);
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = QUOTE;
    let i = start;
    for (; i + 2 < end; i += 3) {
      const group = ((source[i] as number) << 16) | ((source[i + 1] as number) << 8) | (source[i + 2] as number);
      bytes[at++] = BASE64[group >>> 18] as number;
      bytes[at++] = BASE64[(group >>> 12) & 63] as number;
      bytes[at++] = BASE64[(group >>> 6) & 63] as number;
      bytes[at++] = BASE64[group & 63] as number;
    }
    if (i < end) {
      const two = i + 1 < end;
      const group = ((source[i] as number) << 16) | (two ? (source[i + 1] as number) << 8 : 0);
      bytes[at++] = BASE64[group >>> 18] as number;
      bytes[at++] = BASE64[(group >>> 12) & 63] as number;
      bytes[at++] = two ? (BASE64[(group >>> 6) & 63] as number) : PAD;
      bytes[at++] = PAD;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** The decimal digits of an unsigned 64-bit value. */
  unsigned(lo: number, hi: number): void {
    if (hi < 0x200000) {
      this.ascii(String(hi * 4294967296 + lo));
      return;
    }
    // Long division by 10^9, 16 bits at a time, so that every step stays below 2^53.
    let quotient = 0;
    let rest = 0;
    for (const digit of [hi >>> 16, hi & 0xffff, lo >>> 16, lo & 0xffff]) {
      const step = rest * 65536 + digit;
      const part = Math.floor(step / 1e9);
      quotient = quotient * 65536 + part;
      rest = step - part * 1e9;
    }
    this.ascii(String(quotient));
    this.ascii(String(rest).padStart(9, '0'));
  }

  /** The decimal digits of a two's complement 64-bit value. */
  signed(lo: number, hi: number): void {
    if (hi >>> 31 === 0) return this.unsigned(lo, hi);
    this.byte(MINUS);
    const low = -lo >>> 0;
    this.unsigned(low, (~hi + (low === 0 ? 1 : 0)) >>> 0);
  }

  /** A number, or the strings "NaN", "Infinity" and "-Infinity" as protobuf's JSON has them. */
  double(value: number): void {
    if (Number.isFinite(value)) this.ascii(Object.is(value, -0) ? '-0' : String(value));
    else this.ascii(`"${value}"`);
  }
}

const QUOTE = 0x22;
const MINUS = 0x2d;
const PAD = 0x3d;
const HEX = Buffer.from('0123456789abcdef');
const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
/** 1 for bytes that stand for themselves in a JSON string. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte++) PLAIN[byte] = byte === QUOTE || byte === 0x5c ? 0 : 1;
