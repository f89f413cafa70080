import { dataError } from '@vivace/kernel';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { lowBits } from './low-bits.ts';

// Hot path: DELTA_BINARY_PACKED of 64-bit integers held as 32-bit halves (low at 2i, high at 2i + 1).
// Benchmark: `encode-block.bench.ts`.
// Source: Apache Parquet format, Encodings.md, "Delta Encoding".
//
// Sorted times take widths of whole bytes: zstd, which runs over the pages afterwards, then sees the high bytes
// that they share (3.34 bytes a start time against 3.73 with exact widths). Numbers in no order take exact widths
// (3.38 bytes a duration against 3.50), which zstd cannot make smaller and does not have to.

const BLOCK = 128;
const MINIBLOCKS = 4;
const MINI = BLOCK / MINIBLOCKS;

const deltas = new Int32Array(2 * BLOCK);
/** The smallest of them, or of those of a block being decoded, as halves: what is packed is above it. */
const least = new Int32Array(2);

/**
 * Appends values `from … to - 1` of `halves`. INT32 columns use it too, for values that ascend.
 *
 * @param exact Bit widths as small as can be, else whole bytes.
 */
export function encodeDelta(
  out: ByteWriter,
  halves: Uint32Array | Int32Array,
  from: number,
  to: number,
  exact: boolean,
): void {
  const count = to - from;
  out.varint(BLOCK);
  out.varint(MINIBLOCKS);
  out.varint(count);
  if (count === 0) {
    out.varint(0);
    return;
  }
  zigzag64(out, (halves[2 * from] as number) | 0, (halves[2 * from + 1] as number) | 0);
  for (let block = from + 1; block < to; block += BLOCK) {
    const length = Math.min(BLOCK, to - block);
    takeDeltas(halves, block, length);
    encodeBlock(out, length, exact);
  }
}

/** Puts the differences of the values `block … block + length - 1` to those before them in `deltas`, the smallest in `least`. */
function takeDeltas(halves: Uint32Array | Int32Array, block: number, length: number): void {
  let low = (halves[2 * (block - 1)] as number) | 0;
  let high = (halves[2 * (block - 1) + 1] as number) | 0;
  let minLow = 0;
  let minHigh = 0x7fffffff;
  for (let i = 0; i < length; i++) {
    const nextLow = (halves[2 * (block + i)] as number) | 0;
    const nextHigh = (halves[2 * (block + i) + 1] as number) | 0;
    const deltaLow = (nextLow - low) | 0;
    const deltaHigh = (nextHigh - high - (nextLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    deltas[2 * i] = deltaLow;
    deltas[2 * i + 1] = deltaHigh;
    if (i === 0 || deltaHigh < minHigh || (deltaHigh === minHigh && deltaLow >>> 0 < minLow >>> 0)) {
      minLow = deltaLow;
      minHigh = deltaHigh;
    }
    low = nextLow;
    high = nextHigh;
  }
  least[0] = minLow;
  least[1] = minHigh;
}

/** Appends what `takeDeltas` left. */
function encodeBlock(out: ByteWriter, length: number, exact: boolean): void {
  zigzag64(out, least[0] as number, least[1] as number);
  out.ensure(MINIBLOCKS + BLOCK * 8);
  let widthAt = out.length;
  out.buffer.fill(0, widthAt, widthAt + MINIBLOCKS);
  out.length += MINIBLOCKS;
  for (let mini = 0; mini < length; mini += MINI) {
    const end = Math.min(mini + MINI, length);
    const bits = subtractLeast(mini, end);
    if (exact && (bits & 7) !== 0) {
      out.buffer[widthAt++] = bits;
      packMini(out, mini, end, bits);
    } else {
      const bytes = (bits + 7) >>> 3;
      out.buffer[widthAt++] = bytes * 8;
      writeMini(out, mini, end, bytes);
    }
  }
}

/** Makes deltas `from … to - 1` what they are above the smallest; returns the bits that the largest needs. */
function subtractLeast(from: number, to: number): number {
  const minLow = least[0] as number;
  const minHigh = least[1] as number;
  let usedLow = 0;
  let usedHigh = 0;
  for (let i = from; i < to; i++) {
    const deltaLow = deltas[2 * i] as number;
    const above = ((deltas[2 * i + 1] as number) - minHigh - (deltaLow >>> 0 < minLow >>> 0 ? 1 : 0)) | 0;
    const below = (deltaLow - minLow) | 0;
    deltas[2 * i] = below;
    deltas[2 * i + 1] = above;
    usedLow |= below;
    usedHigh |= above;
  }
  return usedHigh !== 0 ? 64 - Math.clz32(usedHigh) : 32 - Math.clz32(usedLow);
}

function writeMini(out: ByteWriter, from: number, to: number, bytes: number): void {
  const { buffer } = out;
  let at = out.length;
  const last = at + MINI * bytes;
  for (let i = from; i < to; i++) {
    let word = deltas[2 * i] as number;
    for (let k = 0; k < bytes; k++) {
      if (k === 4) word = deltas[2 * i + 1] as number;
      buffer[at++] = word;
      word >>>= 8;
    }
  }
  buffer.fill(0, at, last);
  out.length = last;
}

/** As `writeMini`, for widths that are no whole bytes. */
function packMini(out: ByteWriter, from: number, to: number, width: number): void {
  const { buffer } = out;
  let at = out.length;
  const last = at + (MINI / 8) * width;
  let held = 0;
  let bits = 0;
  for (let i = from; i < to; i++) {
    // At most 24 bits join the up to 7 that are held.
    for (let taken = 0; taken < width; ) {
      const word = deltas[2 * i + (taken >>> 5)] as number;
      const inWord = taken & 31;
      const length = Math.min(inWord === 0 ? 24 : 8, width - taken);
      bits |= ((word >>> inWord) & lowBits(length)) << held;
      held += length;
      taken += length;
      while (held >= 8) {
        buffer[at++] = bits;
        bits >>>= 8;
        held -= 8;
      }
    }
  }
  if (held > 0) buffer[at++] = bits;
  buffer.fill(0, at, last);
  out.length = last;
}

function zigzag64(out: ByteWriter, low: number, high: number): void {
  const sign = high >> 31;
  out.varint64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
}

/** The last value decoded, as halves. */
const running = new Int32Array(2);

/**
 * Decodes values `skip … skip + count - 1` of the page body into `into` (halves) from element `2 * at` on.
 */
export function decodeDelta(input: ByteReader, skip: number, count: number, into: Uint32Array, at: number): void {
  if (input.varint() !== BLOCK || input.varint() !== MINIBLOCKS) {
    throw dataError('block-delta', 'a delta-encoded page has a shape that no writer of ours makes');
  }
  const total = input.varint();
  if (skip + count > total) throw dataError('block-delta', `a delta-encoded page holds ${total} values`);
  const end = skip + count;
  readZigzag64(input, running);
  if (skip === 0 && count > 0) {
    into[2 * at] = running[0] as number;
    into[2 * at + 1] = running[1] as number;
  }
  const { bytes } = input;
  for (let block = 1; block < end; block += BLOCK) {
    readZigzag64(input, least);
    const widths = input.skip(MINIBLOCKS);
    for (let mini = 0; mini < MINIBLOCKS; mini++) {
      const from = block + mini * MINI;
      if (from >= total) break;
      const width = bytes[widths + mini] as number;
      if (width > 64) throw dataError('block-delta', `a delta-encoded page has values of ${width} bits`);
      const position = input.skip((MINI / 8) * width);
      const values = Math.min(from + MINI, end) - from;
      const before = Math.min(values, Math.max(0, skip - from));
      const target = at + from + before - skip;
      // Read as words, which the last values of a page would reach past its end with.
      const plain = before === 0 && input.at + 8 <= bytes.length;
      if (plain && width <= 25) readNarrow(bytes, position, width, values, into, target);
      else if (plain && (width & 7) === 0) readBytes(bytes, position, width >>> 3, values, into, target);
      else readAny(bytes, position, width, before, values, into, target);
    }
  }
}

/** Deltas of up to 25 bits, which one word holds wherever they begin. */
function readNarrow(
  bytes: Uint8Array,
  position: number,
  width: number,
  values: number,
  into: Uint32Array,
  at: number,
): void {
  const minLow = least[0] as number;
  const minHigh = least[1] as number;
  let low = running[0] as number;
  let high = running[1] as number;
  const mask = lowBits(width);
  let bit = 8 * position;
  const end = 2 * (at + values);
  for (let target = 2 * at; target < end; target += 2) {
    const packed = (word(bytes, bit >>> 3) >>> (bit & 7)) & mask;
    bit += width;
    const delta = (packed + minLow) | 0;
    const sum = (low + delta) | 0;
    high = (high + minHigh + (delta >>> 0 < packed >>> 0 ? 1 : 0) + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    low = sum;
    into[target] = low;
    into[target + 1] = high;
  }
  running[0] = low;
  running[1] = high;
}

/** Deltas of 4 to 8 whole bytes. */
function readBytes(
  bytes: Uint8Array,
  position: number,
  width: number,
  values: number,
  into: Uint32Array,
  at: number,
): void {
  const minLow = least[0] as number;
  const minHigh = least[1] as number;
  let low = running[0] as number;
  let high = running[1] as number;
  const mask = lowBits(8 * width - 32);
  let byte = position;
  const end = 2 * (at + values);
  for (let target = 2 * at; target < end; target += 2) {
    const packed = word(bytes, byte);
    const above = (word(bytes, byte + 4) & mask) + minHigh;
    byte += width;
    const delta = (packed + minLow) | 0;
    const sum = (low + delta) | 0;
    high = (high + above + (delta >>> 0 < packed >>> 0 ? 1 : 0) + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    low = sum;
    into[target] = low;
    into[target + 1] = high;
  }
  running[0] = low;
  running[1] = high;
}

/** Deltas of any width, at the end of a page, too; the first `before` are only added. */
function readAny(
  bytes: Uint8Array,
  position: number,
  width: number,
  before: number,
  values: number,
  into: Uint32Array,
  at: number,
): void {
  const minLow = least[0] as number;
  const minHigh = least[1] as number;
  let low = running[0] as number;
  let high = running[1] as number;
  const maskLow = lowBits(Math.min(width, 32));
  const maskHigh = lowBits(Math.max(0, width - 32));
  for (let i = 0; i < values; i++) {
    const shift = (i * width) & 7;
    const byte = position + ((i * width) >>> 3);
    let packedLow = word(bytes, byte);
    let packedHigh = 0;
    if (width + shift > 32) {
      packedHigh = word(bytes, byte + 4);
      if (shift > 0) {
        packedLow = (packedLow >>> shift) | (packedHigh << (32 - shift));
        packedHigh = (packedHigh >>> shift) | ((bytes[byte + 8] as number) << (32 - shift));
      }
    } else packedLow >>>= shift;
    packedLow &= maskLow;
    packedHigh &= maskHigh;
    const delta = (packedLow + minLow) | 0;
    const sum = (low + delta) | 0;
    high =
      (high + packedHigh + minHigh + (delta >>> 0 < packedLow >>> 0 ? 1 : 0) + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    low = sum;
    if (i < before) continue;
    into[2 * (at + i - before)] = low;
    into[2 * (at + i - before) + 1] = high;
  }
  running[0] = low;
  running[1] = high;
}

/** Four bytes; those past the end are 0. */
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Reads a zigzag varint of 64 bits into halves: there is one for every 128 values, too many for bigints. */
function readZigzag64(input: ByteReader, into: Int32Array): void {
  let low = 0;
  let high = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift === 70) throw dataError('block-varint', `a number in a block is too long at byte ${input.at}`);
    const byte = input.u8();
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift >= 32) high |= bits << (shift - 32);
    else if (shift > 25) high |= bits >>> (32 - shift);
    if (byte < 0x80) break;
  }
  const sign = -(low & 1);
  into[0] = ((low >>> 1) | (high << 31)) ^ sign;
  into[1] = (high >>> 1) ^ sign;
}
