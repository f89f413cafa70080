import { crc32, freeMemory, inSteps } from '@vivace/kernel';
import { ByteWriter } from '../byte-writer.ts';
import { compress, SMALLEST_TO_COMPRESS, WORTHWHILE } from './compression.ts';
import { encodeDelta } from './delta.ts';
import { codeWidth, encodeHybrid, encodeLevels } from './hybrid.ts';
import { writeDataPageHeader, writeDictionaryPageHeader } from './page-header.ts';
import {
  BOOLEAN,
  BYTE_STREAM_SPLIT,
  type ColumnSchema,
  DELTA_BINARY_PACKED,
  DOUBLE,
  type Encoding,
  INT64,
  PLAIN,
  RLE_DICTIONARY,
  type StoredChunk,
  type StoredPage,
  valueBytes,
} from './types.ts';

// Hot path: one column of one row group becomes a Parquet column chunk. No allocation per row; scratch space
// is kept between chunks. Benchmark: `encode-block.bench.ts`.

/** Entries that codes stand for: PLAIN values one after another, of one width or between offsets. */
export interface Values {
  bytes: Uint8Array;
  /** Bytes of each entry; 0: they differ, `offsets` holds `count + 1` positions. */
  width: number;
  offsets: Uint32Array | undefined;
}

export interface ChunkOptions {
  /** Rows a page has unless its bytes say otherwise. */
  pageRows: number;
  /** Keep the dictionary however many entries it has, and write codes as runs only. For sorted ids. */
  sorted?: boolean;
}

/** Pages are cut to about this many bytes (before compression) … */
const PAGE_MAX_BYTES = 64 * 1024;
/** … and joined while they have fewer than this: smaller ones cost a call each and hold nothing. */
const PAGE_MIN_BYTES = 4 * 1024;
/** A dictionary of more bytes is dropped: a lookup by id would inflate all of it for one value. */
const DICTIONARY_MAX_BYTES = 1 << 20;
const MIN_RUN = 64;

export class ChunkWriter {
  readonly #out = new ByteWriter(1 << 20);
  readonly #raw = new ByteWriter(1 << 18);
  readonly #dictionary = new ByteWriter(1 << 16);
  #bits = new Uint8Array(1 << 11);
  #compact = new Int32Array(1 << 14);
  #halves = new Uint32Array(0);
  #present = 0;
  /** Code → local code, -1 elsewhere; all -1 between chunks. */
  #local = new Int32Array(0);
  /** Local code → code. */
  #used = new Int32Array(1 << 12);

  /**
   * A column given by codes into `entries`: `codes[from … to - 1]`, -1 where it is null. The codes are
   * overwritten.
   */
  codes(
    schema: ColumnSchema,
    codes: Int32Array,
    from: number,
    to: number,
    entries: Values,
    entryCount: number,
    options: ChunkOptions,
  ): StoredChunk {
    const rows = to - from;
    const distinct = this.#localise(codes, from, to, entryCount);
    const values = this.#present;
    const used = this.#used;
    const bytes = this.#entryBytes(entries, distinct);
    const keep =
      schema.type !== BOOLEAN &&
      values > 0 &&
      (options.sorted === true || (distinct * 2 <= values && bytes <= DICTIONARY_MAX_BYTES));
    const width = keep ? codeWidth(distinct) : 0;
    const minRun = options.sorted ? 1 : MIN_RUN;
    const encoding: Encoding = keep ? RLE_DICTIONARY : values === 0 ? PLAIN : plainEncoding(schema);
    const valueBits = keep ? width : schema.type === BOOLEAN ? 1 : (bytes * 8) / Math.max(1, distinct);
    const rowBytes = (schema.optional ? 1 / 8 : 0) + (valueBits * values) / 8 / Math.max(1, rows);
    const pageRows = values === 0 ? rows : fitPageRows(options.pageRows, rows, rowBytes);
    if (keep) {
      this.#dictionary.reset();
      writePlain(this.#dictionary, used, 0, distinct, entries, schema);
    }
    return this.#chunk(rows, values, encoding, pageRows, keep ? distinct : -1, true, (pageFrom, pageTo) => {
      const count = this.#writeLevels(schema, codes, from + pageFrom, from + pageTo);
      // Pages of nulls carry the empty values of their encoding: other readers look for them.
      if (keep) {
        this.#raw.u8(width);
        if (count > 0) encodeHybrid(this.#raw, this.#compact, 0, count, width, minRun);
      } else if (encoding === BYTE_STREAM_SPLIT) {
        splitEntries(this.#raw, this.#compact, count, used, entries);
      } else if (encoding === DELTA_BINARY_PACKED) {
        encodeDelta(this.#raw, this.#gatherHalves(count, entries), 0, count, true);
      } else {
        const compact = this.#compact;
        for (let i = 0; i < count; i++) compact[i] = used[compact[i] as number] as number;
        writePlain(this.#raw, compact, 0, count, entries, schema);
      }
      return count;
    });
  }

  /** A required FIXED column whose values lie side by side. `compressible`: whether to try at all. */
  fixed(
    schema: ColumnSchema,
    bytes: Uint8Array,
    from: number,
    to: number,
    options: ChunkOptions & { compressible: boolean },
  ): StoredChunk {
    const width = valueBytes(schema);
    const rows = to - from;
    const pageRows = fitPageRows(options.pageRows, rows, width);
    return this.#chunk(rows, rows, PLAIN, pageRows, -1, options.compressible, (pageFrom, pageTo) => {
      this.#raw.bytes(bytes.subarray((from + pageFrom) * width, (from + pageTo) * width));
      return pageTo - pageFrom;
    });
  }

  /** A required INT64 or ascending INT32 column given as halves (low at 2i). */
  halves(
    schema: ColumnSchema,
    halves: Uint32Array,
    from: number,
    to: number,
    options: ChunkOptions & { ascending: boolean },
  ): StoredChunk {
    const rows = to - from;
    const pageRows = fitPageRows(options.pageRows, rows, 4);
    const chunk = this.#chunk(rows, rows, DELTA_BINARY_PACKED, pageRows, -1, true, (pageFrom, pageTo) => {
      encodeDelta(this.#raw, halves, from + pageFrom, from + pageTo, !options.ascending);
      return pageTo - pageFrom;
    });
    if (schema.logical === 'uint64') setBounds(chunk, halves, from, to);
    return chunk;
  }

  /**
   * Replaces codes by local ones, numbered by first appearance; fills `used`; returns how many there are. Leaves
   * the number of rows that are not null in `#present`.
   */
  #localise(codes: Int32Array, from: number, to: number, entryCount: number): number {
    if (this.#local.length < entryCount) {
      this.#local = new Int32Array(Math.max(entryCount, this.#local.length * 2)).fill(-1);
    }
    const local = this.#local;
    let used = this.#used;
    let distinct = 0;
    let present = 0;
    for (let i = from; i < to; i++) {
      const code = codes[i] as number;
      if (code < 0) continue;
      present++;
      let mine = local[code] as number;
      if (mine < 0) {
        mine = distinct++;
        local[code] = mine;
        if (mine >= used.length) {
          const larger = new Int32Array(used.length * 2);
          larger.set(used);
          used = larger;
          this.#used = larger;
        }
        used[mine] = code;
      }
      codes[i] = mine;
    }
    for (let i = 0; i < distinct; i++) local[used[i] as number] = -1;
    this.#present = present;
    return distinct;
  }

  #entryBytes(entries: Values, distinct: number): number {
    if (entries.offsets === undefined) return entries.width * distinct;
    const { offsets } = entries;
    const used = this.#used;
    let bytes = 0;
    for (let i = 0; i < distinct; i++) {
      const code = used[i] as number;
      bytes += 4 + (offsets[code + 1] as number) - (offsets[code] as number);
    }
    return bytes;
  }

  /** Writes the definition levels of codes `from … to - 1` and gathers the codes that are there. */
  #writeLevels(schema: ColumnSchema, codes: Int32Array, from: number, to: number): number {
    const rows = to - from;
    if (this.#compact.length < rows) this.#compact = new Int32Array(rows * 2);
    const compact = this.#compact;
    if (!schema.optional) {
      compact.set(codes.subarray(from, to));
      return rows;
    }
    const bitBytes = (rows + 7) >>> 3;
    if (this.#bits.length < bitBytes) this.#bits = new Uint8Array(bitBytes * 2);
    const bits = this.#bits;
    let count = 0;
    let row = from;
    for (let byte = 0; byte < bitBytes; byte++) {
      const end = Math.min(row + 8, to);
      let held = 0;
      for (let bit = 1; row < end; row++, bit <<= 1) {
        const code = codes[row] as number;
        if (code >= 0) {
          compact[count++] = code;
          held |= bit;
        }
      }
      bits[byte] = held;
    }
    const raw = this.#raw;
    const lengthAt = raw.length;
    raw.u32(0);
    encodeLevels(raw, bits, rows);
    const length = raw.length - lengthAt - 4;
    raw.buffer[lengthAt] = length;
    raw.buffer[lengthAt + 1] = length >>> 8;
    raw.buffer[lengthAt + 2] = length >>> 16;
    return count;
  }

  /** The 64-bit entries of the first `count` gathered codes, as halves. */
  #gatherHalves(count: number, { bytes }: Values): Uint32Array {
    if (this.#halves.length < 2 * count) this.#halves = new Uint32Array(4 * count);
    const halves = this.#halves;
    const compact = this.#compact;
    const used = this.#used;
    for (let i = 0; i < count; i++) {
      const source = (used[compact[i] as number] as number) * 8;
      halves[2 * i] = word(bytes, source);
      halves[2 * i + 1] = word(bytes, source + 4);
    }
    return halves;
  }

  /** Pages by `writePage`, which appends the body of rows `from … to - 1` to `#raw`; the codec is chosen on the first. */
  #chunk(
    rows: number,
    values: number,
    encoding: Encoding,
    pageRows: number,
    dictionaryEntries: number,
    compressible: boolean,
    writePage: (from: number, to: number) => number,
  ): StoredChunk {
    const out = this.#out;
    const raw = this.#raw;
    out.reset();
    const pages: StoredPage[] = [];
    let dictionary: StoredPage | undefined;
    let zstd = false;
    const pageCount = Math.ceil(rows / pageRows);
    for (let from = 0; from < rows; from += pageRows) {
      const to = Math.min(rows, from + pageRows);
      raw.reset();
      const pageValues = writePage(from, to);
      const plain = raw.view();
      let packed: Uint8Array | undefined;
      if (from === 0) {
        const dictionaryRaw = dictionaryEntries < 0 ? undefined : this.#dictionary.view();
        const dictionaryBytes = dictionaryRaw?.length ?? 0;
        let dictionaryPacked: Uint8Array | undefined;
        if (compressible && plain.length * pageCount + dictionaryBytes >= SMALLEST_TO_COMPRESS) {
          packed = compress(plain);
          dictionaryPacked = dictionaryRaw && compress(dictionaryRaw);
          const before = plain.length * pageCount + dictionaryBytes;
          const after = packed.length * pageCount + (dictionaryPacked?.length ?? 0);
          zstd = after <= before * WORTHWHILE;
        }
        if (dictionaryRaw !== undefined) {
          const body = zstd ? (dictionaryPacked as Uint8Array) : dictionaryRaw;
          dictionary = storedPage(body, dictionaryBytes, dictionaryEntries);
          const start = out.length;
          writeDictionaryPageHeader(out, dictionaryEntries, dictionaryBytes, body.length, dictionary.crc);
          dictionary.headerBytes = out.length - start;
          out.bytes(body);
          if (dictionaryPacked !== undefined) freeMemory(dictionaryPacked);
        }
      }
      const body = zstd ? (packed ?? compress(plain)) : plain;
      const page = storedPage(body, plain.length, pageValues);
      const start = out.length;
      writeDataPageHeader(out, to - from, encoding, plain.length, body.length, page.crc);
      page.headerBytes = out.length - start;
      out.bytes(body);
      if (zstd) freeMemory(body);
      pages.push(page);
    }
    return { bytes: out.take(), rows, values, zstd, encoding, pageRows, dictionary, pages };
  }
}

function storedPage(body: Uint8Array, rawBytes: number, values: number): StoredPage {
  return { headerBytes: 0, bodyBytes: body.length, rawBytes, crc: crc32(body), values };
}

/** What values are written as without a dictionary. DuckDB reads split bytes of floating-point columns only. */
function plainEncoding(schema: ColumnSchema): Encoding {
  if (schema.type === DOUBLE) return BYTE_STREAM_SPLIT;
  return schema.type === INT64 ? DELTA_BINARY_PACKED : PLAIN;
}

/** Rows a page of a column should have: `base`, halved while pages are large, doubled while they are tiny. */
function fitPageRows(base: number, rows: number, rowBytes: number): number {
  let pageRows = Math.min(base, Math.max(1, rows));
  if (pageRows < base) return pageRows * rowBytes > PAGE_MAX_BYTES ? halve(pageRows, rowBytes) : pageRows;
  while (pageRows < rows && pageRows * rowBytes < PAGE_MIN_BYTES) pageRows *= 2;
  return Math.min(halve(pageRows, rowBytes), rows);
}

function halve(pageRows: number, rowBytes: number): number {
  let fitted = pageRows;
  while (fitted > 1 && fitted * rowBytes > PAGE_MAX_BYTES) fitted = Math.ceil(fitted / 2);
  return fitted;
}

/** Appends entries `codes[from … to - 1]` in PLAIN encoding. */
function writePlain(
  out: ByteWriter,
  codes: Int32Array,
  from: number,
  to: number,
  { bytes, offsets, width }: Values,
  schema: ColumnSchema,
): void {
  if (schema.type === BOOLEAN) writeBits(out, codes, from, to, bytes);
  else if (offsets === undefined) writeFixed(out, codes, from, to, bytes, width);
  else writeStrings(out, codes, from, to, bytes, offsets);
}

function writeBits(out: ByteWriter, codes: Int32Array, from: number, to: number, bytes: Uint8Array): void {
  const length = (to - from + 7) >>> 3;
  out.ensure(length);
  out.buffer.fill(0, out.length, out.length + length);
  for (let i = from; i < to; i++) {
    const bit = i - from;
    if (bytes[codes[i] as number] !== 0) {
      out.buffer[out.length + (bit >>> 3)] = (out.buffer[out.length + (bit >>> 3)] as number) | (1 << (bit & 7));
    }
  }
  out.length += length;
}

function writeFixed(
  out: ByteWriter,
  codes: Int32Array,
  from: number,
  to: number,
  bytes: Uint8Array,
  width: number,
): void {
  out.ensure((to - from) * width);
  const { buffer } = out;
  let at = out.length;
  for (let i = from; i < to; i++) {
    let source = (codes[i] as number) * width;
    for (const end = source + width; source < end; source++) buffer[at++] = bytes[source] as number;
  }
  out.length = at;
}

function writeStrings(
  out: ByteWriter,
  codes: Int32Array,
  from: number,
  to: number,
  bytes: Uint8Array,
  offsets: Uint32Array,
): void {
  for (let i = from; i < to; i++) {
    const start = offsets[codes[i] as number] as number;
    const end = offsets[(codes[i] as number) + 1] as number;
    const length = end - start;
    out.u32(length);
    if (length > 48) {
      out.bytes(bytes.subarray(start, end));
      continue;
    }
    out.ensure(length);
    const { buffer } = out;
    let at = out.length;
    for (let source = start; source < end; source++) buffer[at++] = bytes[source] as number;
    out.length = at;
  }
}

/** Appends entries of one width as BYTE_STREAM_SPLIT: all first bytes, then all second bytes … */
function splitEntries(out: ByteWriter, compact: Int32Array, count: number, used: Int32Array, entries: Values): void {
  const { bytes, width } = entries;
  out.ensure(count * width);
  const { buffer, length } = out;
  for (let i = 0; i < count; i++) {
    const source = (used[compact[i] as number] as number) * width;
    for (let k = 0; k < width; k++) buffer[length + k * count + i] = bytes[source + k] as number;
  }
  out.length = length + count * width;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Statistics of an unsigned column. */
function setBounds(chunk: StoredChunk, halves: Uint32Array, from: number, to: number): void {
  const bounds = { min: from, max: from };
  inSteps(to - from, widenBounds, bounds, halves, from);
  chunk.min = halvesToBigInt(halves, bounds.min);
  chunk.max = halvesToBigInt(halves, bounds.max);
}

/** Places of the least and the greatest pair, over some more. */
function widenBounds(
  from: number,
  to: number,
  bounds: { min: number; max: number },
  halves: Uint32Array,
  first: number,
): void {
  let { min, max } = bounds;
  for (let i = first + from; i < first + to; i++) {
    const low = halves[2 * i] as number;
    const high = halves[2 * i + 1] as number;
    const minHigh = halves[2 * min + 1] as number;
    const maxHigh = halves[2 * max + 1] as number;
    if (high < minHigh || (high === minHigh && low < (halves[2 * min] as number))) min = i;
    if (high > maxHigh || (high === maxHigh && low > (halves[2 * max] as number))) max = i;
  }
  bounds.min = min;
  bounds.max = max;
}

function halvesToBigInt(halves: Uint32Array, index: number): bigint {
  return (BigInt(halves[2 * index + 1] as number) << 32n) | BigInt(halves[2 * index] as number);
}
