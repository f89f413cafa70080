import { dataError } from '@vivace/kernel';
import type { ByteWriter } from '../byte-writer.ts';
import { lowBits } from './low-bits.ts';

// Hot path: Parquet's RLE / bit-packed hybrid, of codes and of definition levels.
// Benchmark: `encode-block.bench.ts`.
// Source: Apache Parquet format, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".

/** Widest code: dictionaries hold at most 2^24 entries. */
const MAX_CODE_WIDTH = 24;

/**
 * Bits a code of a dictionary of `count` entries is stored with. Below a byte, widths are those that divide
 * one: whole codes in bytes are what zstd's entropy coder sees, which is 6 % smaller than exact widths.
 */
export function codeWidth(count: number): number {
  if (count <= 1) return 0;
  const exact = 32 - Math.clz32(count - 1);
  if (exact <= 2) return exact;
  if (exact <= 4) return 4;
  return exact <= 8 ? 8 : exact;
}

/** Appends `values[from … to - 1]`, runs of `minRun` and more as runs, the rest bit-packed. `minRun` of 1 writes runs only. */
export function encodeHybrid(
  out: ByteWriter,
  values: Int32Array,
  from: number,
  to: number,
  width: number,
  minRun: number,
): void {
  if (width === 0) {
    writeRun(out, 0, to - from, 0);
    return;
  }
  let literal = from;
  let at = from;
  while (at < to) {
    const value = values[at] as number;
    let end = at + 1;
    while (end < to && values[end] === value) end++;
    // Bit-packed runs hold multiples of eight values; what is missing is borrowed from the run that follows.
    const start = at + ((8 - ((at - literal) & 7)) & 7);
    if (end - start >= minRun) {
      if (start > literal) packLiterals(out, values, literal, start, width);
      writeRun(out, value, end - start, width);
      literal = end;
    }
    at = end;
  }
  if (to > literal) packLiterals(out, values, literal, to, width);
}

/**
 * Appends definition levels given as bits, eight rows a byte, lowest bit first; bits from `rows` on must be
 * zero. Sixteen and more equal bytes of all or none become a run.
 */
export function encodeLevels(out: ByteWriter, bits: Uint8Array, rows: number): void {
  const whole = rows >>> 3;
  const bytes = (rows + 7) >>> 3;
  let literal = 0;
  let at = 0;
  while (at < whole) {
    const value = bits[at] as number;
    let end = at + 1;
    if (value === 0 || value === 0xff) {
      while (end < whole && bits[end] === value) end++;
      // A rest of less than eight zero rows belongs to a run of zeros.
      const tail = end === whole && value === 0 && (rows & 7) !== 0 && bits[whole] === 0 ? rows & 7 : 0;
      if (end - at >= 16 || (at === 0 && end === whole && (rows & 7) === tail)) {
        if (at > literal) copyLiterals(out, bits, literal, at);
        writeRun(out, value & 1, (end - at) * 8 + tail, 1);
        literal = tail > 0 ? bytes : end;
      }
    }
    at = end;
  }
  if (bytes > literal) copyLiterals(out, bits, literal, bytes);
}

function writeRun(out: ByteWriter, value: number, count: number, width: number): void {
  out.varint(count * 2);
  for (let bits = 0; bits < width; bits += 8) out.u8((value >>> bits) & 0xff);
}

function copyLiterals(out: ByteWriter, bits: Uint8Array, from: number, to: number): void {
  out.varint((to - from) * 2 + 1);
  out.bytes(bits.subarray(from, to));
}

function packLiterals(out: ByteWriter, values: Int32Array, from: number, to: number, width: number): void {
  const groups = (to - from + 7) >>> 3;
  out.varint(groups * 2 + 1);
  out.ensure(groups * width);
  const { buffer, length } = out;
  out.length = length + groups * width;
  packBits(values, from, to, width, buffer, length);
  const written = length + (((to - from) * width + 7) >>> 3);
  buffer.fill(0, written, out.length);
}

function packBits(values: Int32Array, from: number, to: number, width: number, into: Uint8Array, at: number): void {
  let position = at;
  if (width === 8) {
    for (let i = from; i < to; i++) into[position++] = values[i] as number;
    return;
  }
  let bits = 0;
  let held = 0;
  for (let i = from; i < to; i++) {
    bits |= (values[i] as number) << held;
    held += width;
    while (held >= 8) {
      into[position++] = bits;
      bits >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) into[position] = bits;
}

/**
 * Decodes values `skip … skip + count - 1` of the hybrid at `bytes[from … to - 1]` into `into` at `at`; runs
 * before are stepped over. Returns nothing: a hybrid that holds fewer values is a `data` error.
 */
export function decodeHybrid(
  bytes: Uint8Array,
  from: number,
  to: number,
  width: number,
  skip: number,
  count: number,
  into: Int32Array,
  at: number,
): void {
  if (width > MAX_CODE_WIDTH) throw dataError('block-code-width', `codes of ${width} bits in a block`);
  let position = from;
  let before = skip;
  let left = count;
  let target = at;
  const valueBytes = (width + 7) >>> 3;
  while (left > 0) {
    let header = 0;
    let scale = 1;
    for (;;) {
      if (position >= to || scale > 2 ** 42) throw shortHybrid();
      const byte = bytes[position++] as number;
      header += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    const packed = header % 2 === 1;
    const units = (header - (packed ? 1 : 0)) / 2;
    if (units === 0) throw shortHybrid();
    if (!packed) {
      if (position + valueBytes > to) throw shortHybrid();
      if (before < units) {
        let value = 0;
        for (let i = 0; i < valueBytes; i++) value |= (bytes[position + i] as number) << (8 * i);
        const taken = Math.min(units - before, left);
        into.fill(value, target, target + taken);
        target += taken;
        left -= taken;
        before = 0;
      } else before -= units;
      position += valueBytes;
    } else {
      const length = units * width;
      if (position + length > to) throw shortHybrid();
      const values = units * 8;
      if (before < values) {
        const taken = Math.min(values - before, left);
        unpackBits(bytes, position, before, taken, width, into, target);
        target += taken;
        left -= taken;
        before = 0;
      } else before -= values;
      position += length;
    }
  }
}

function unpackBits(
  bytes: Uint8Array,
  from: number,
  skip: number,
  count: number,
  width: number,
  into: Int32Array,
  at: number,
): void {
  if (width === 8) {
    for (let i = 0; i < count; i++) into[at + i] = bytes[from + skip + i] as number;
    return;
  }
  if (width === 0) {
    into.fill(0, at, at + count);
    return;
  }
  const mask = lowBits(width);
  if (width === 1 || width === 2 || width === 4) {
    unpackPieces(bytes, from, skip, count, width, mask, into, at);
    return;
  }
  let bit = skip * width;
  if (width <= 8) {
    for (let i = 0; i < count; i++) {
      const position = from + (bit >>> 3);
      const word = (bytes[position] as number) | ((bytes[position + 1] as number) << 8);
      into[at + i] = (word >>> (bit & 7)) & mask;
      bit += width;
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const position = from + (bit >>> 3);
    const word =
      (bytes[position] as number) |
      ((bytes[position + 1] as number) << 8) |
      ((bytes[position + 2] as number) << 16) |
      ((bytes[position + 3] as number) << 24);
    into[at + i] = (word >>> (bit & 7)) & mask;
    bit += width;
  }
}

/** Values of which a byte holds a whole number. */
function unpackPieces(
  bytes: Uint8Array,
  from: number,
  skip: number,
  count: number,
  width: number,
  mask: number,
  into: Int32Array,
  at: number,
): void {
  const inByte = 8 / width;
  let position = from + Math.floor(skip / inByte);
  let target = at;
  const end = at + count;
  let held = 0;
  let left = 0;
  if (skip % inByte > 0) {
    held = (bytes[position++] as number) >>> ((skip % inByte) * width);
    left = inByte - (skip % inByte);
  }
  while (target < end) {
    if (left === 0) {
      held = bytes[position++] as number;
      left = inByte;
    }
    const stop = Math.min(end, target + left);
    left = 0;
    while (target < stop) {
      into[target++] = held & mask;
      held >>>= width;
    }
  }
}

/** How many of the first `rows` definition levels (width 1) of a hybrid are set. */
export function countLevels(bytes: Uint8Array, from: number, to: number, rows: number): number {
  let position = from;
  let left = rows;
  let ones = 0;
  while (left > 0) {
    let header = 0;
    let scale = 1;
    for (;;) {
      if (position >= to || scale > 2 ** 42) throw shortHybrid();
      const byte = bytes[position++] as number;
      header += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    const packed = header % 2 === 1;
    const units = (header - (packed ? 1 : 0)) / 2;
    if (units === 0 || position + (packed ? units : 1) > to) throw shortHybrid();
    if (packed) {
      const taken = Math.min(units * 8, left);
      ones += countBits(bytes, position, taken);
      left -= taken;
      position += units;
    } else {
      const taken = Math.min(units, left);
      if (((bytes[position] as number) & 1) === 1) ones += taken;
      left -= taken;
      position++;
    }
  }
  return ones;
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** How many of `count` bits from byte `from` on are set. */
export function countBits(bytes: Uint8Array, from: number, count: number): number {
  let ones = 0;
  const whole = count >>> 3;
  for (let i = 0; i < whole; i++) ones += ONES[bytes[from + i] as number] as number;
  const rest = count & 7;
  if (rest > 0) ones += ONES[(bytes[from + whole] as number) & lowBits(rest)] as number;
  return ones;
}

function shortHybrid(): Error {
  return dataError('block-levels', 'a run of codes or levels in a block is damaged');
}
