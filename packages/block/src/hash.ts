import type { AttributeType } from '@vivace/columns';
import { utf8Encode } from '@vivace/kernel';

// The 64-bit hash of the filter: MurmurHash3's mixing in two 32-bit lanes with different constants, finished
// together as MurmurHash3_x86_128 does. Part of the format (FORMAT.md, "Hash"): it never changes. Two lanes of
// Math.imul take 30 ns for 16 bytes; BigInt arithmetic takes over a microsecond.

/** What is hashed; the number is mixed in, so that a string "1" and an int 1 are different entries. */
const HASH_TRACE_ID = 0;
const HASH_TYPE: Record<AttributeType, number> = { string: 1, int: 2, double: 3, bool: 4 };

const NOTHING: Uint8Array = new Uint8Array(0);

/** Computes hashes into `low` and `high`, both unsigned. One a thread of work: it holds the last result. */
export class Hash64 {
  low = 0;
  high = 0;
  /** What was hashed last, and as words: the entries of a dictionary lie in one array. */
  #bytes = NOTHING;
  #words = new DataView(NOTHING.buffer);

  /** A trace id of 16 bytes at `from`. */
  traceId(bytes: Uint8Array, from: number): void {
    this.#mix(bytes, from, from + 16, HASH_TRACE_ID, HASH_TRACE_ID);
  }

  /**
   * Starts an attribute: the hash of its key and type. Its `low` and `high` are the `keyLow` and `keyHigh`
   * of `value`.
   */
  key(key: Uint8Array, type: AttributeType): void {
    this.#mix(key, 0, key.length, HASH_TYPE[type], HASH_TYPE[type]);
  }

  /** A value, in the form of a column's dictionary entry, of an attribute started by `key`. */
  value(keyLow: number, keyHigh: number, type: AttributeType, bytes: Uint8Array, from: number, to: number): void {
    // 0 and -0 are one number to a query.
    if (type === 'double' && isNegativeZero(bytes, from, to)) this.#mix(POSITIVE_ZERO, 0, 8, keyLow, keyHigh);
    else this.#mix(bytes, from, to, keyLow, keyHigh);
  }

  #mix(bytes: Uint8Array, from: number, to: number, seedLow: number, seedHigh: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const words = this.#words;
    let a = seedLow | 0;
    let b = seedHigh | 0;
    let at = from;
    for (; at + 4 <= to; at += 4) {
      const word = words.getInt32(at, true);
      let k = Math.imul(word, 0xcc9e2d51);
      k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      a ^= k;
      a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
      k = Math.imul(word, 0x38b34ae5);
      k = Math.imul((k << 17) | (k >>> 15), 0xa1e38b93);
      b ^= k;
      b = (Math.imul((b << 15) | (b >>> 17), 5) + 0x96cd1c35) | 0;
    }
    let word = 0;
    for (let shift = 0; at < to; at++, shift += 8) word |= (bytes[at] as number) << shift;
    let k = Math.imul(word, 0xcc9e2d51);
    a ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    k = Math.imul(word, 0x38b34ae5);
    b ^= Math.imul((k << 17) | (k >>> 15), 0xa1e38b93);
    const length = to - from;
    a ^= length;
    b ^= length;
    a = (a + b) | 0;
    b = (b + a) | 0;
    a = finish(a);
    b = finish(b);
    a = (a + b) | 0;
    b = (b + a) | 0;
    this.low = a >>> 0;
    this.high = b >>> 0;
  }
}

/** A key without a value, in 32 bits: how manifests name keys. */
export function hashKey(key: string): number {
  const hash = new Hash64();
  hash.key(utf8Encode(key), 'string');
  return hash.low;
}

function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const POSITIVE_ZERO = new Uint8Array(8);

function isNegativeZero(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== 8 || bytes[to - 1] !== 0x80) return false;
  for (let i = from; i < to - 1; i++) if (bytes[i] !== 0) return false;
  return true;
}
