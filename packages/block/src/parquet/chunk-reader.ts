import { crc32, dataError } from '@vivace/kernel';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import type { Values } from './chunk-writer.ts';
import { decompress, decompressInto } from './compression.ts';
import { decodeDelta } from './delta.ts';
import type { ChunkLayout, PageLayout } from './directory.ts';
import { countLevels, decodeHybrid } from './hybrid.ts';
import {
  BOOLEAN,
  BYTE_ARRAY,
  BYTE_STREAM_SPLIT,
  type ColumnSchema,
  DELTA_BINARY_PACKED,
  INT32,
  PLAIN,
  RLE_DICTIONARY,
  valueBytes,
} from './types.ts';

// Hot path: part of a column chunk becomes codes. Pages outside the rows asked for, and pages of nulls, are not
// touched; within a page, runs before the rows are stepped over. Benchmark: `encode-block.bench.ts`.

/** Bytes of a row group, or of a part of it, and what is known of them. Cached as one. */
export interface GroupBytes {
  bytes: Uint8Array;
  /** Where `bytes` begin in the row group. */
  base: number;
  /** Offsets of pages whose checksum was found right. */
  verified: Set<number>;
  /** Further bytes of the row group, ascending; those between were not read. */
  more?: readonly { bytes: Uint8Array; base: number }[];
}

/** Decoded dictionary entries. `offsets` delimit entries that do not all have one width. */
export interface DecodedDictionary extends Values {
  count: number;
}

/** Rows of a column: `codes[i]` of the i-th row stands for an entry, -1 for null. */
export interface DecodedColumn {
  codes: Int32Array;
  entries: Values;
  entryCount: number;
  /** The entries are a dictionary: distinct, and perhaps more than the rows use. */
  dictionary: boolean;
}

/** Keeps decoded dictionaries and inflated pages of a row group, by the offset of the page. */
export interface ChunkCache {
  dictionary(offset: number): DecodedDictionary | undefined;
  putDictionary(offset: number, dictionary: DecodedDictionary): void;
  /** See `PageArena`. */
  page(offset: number): Uint8Array | undefined;
  /** Room to keep a page in; undefined where it is not to be kept. */
  reservePage(offset: number, length: number): Uint8Array | undefined;
  forgetPage(offset: number): void;
}

/** Gives entries other numbers while they are decoded. */
export interface EntryNumbers {
  /** The entries that `renumber` is about from now on. */
  open(entries: Values, count: number): void;
  /** Replaces numbers `from … to - 1`, all of which are those of entries; false where one is not. */
  renumber(numbers: Int32Array, from: number, to: number): boolean;
}

const NO_ENTRIES: Values = { bytes: new Uint8Array(0), width: 0, offsets: new Uint32Array(1) };
const BOOL_ENTRIES: Values = { bytes: Uint8Array.of(0, 1), width: 1, offsets: undefined };

/**
 * Decodes rows `from … to - 1` (from the start of the row group) of a chunk.
 *
 * @param codes What becomes the codes; of `to - from` elements.
 * @param numbers Where codes are to be others than those of the entries given back, which are good until the next call
 *   then.
 * @param isBrief Entries are good until the next call only, also where they keep their numbers.
 */
export function decodeChunk(
  schema: ColumnSchema,
  chunk: ChunkLayout,
  group: GroupBytes,
  cache: ChunkCache,
  from: number,
  to: number,
  codes: Int32Array = new Int32Array(to - from),
  numbers?: EntryNumbers,
  isBrief = numbers !== undefined,
): DecodedColumn {
  codes.fill(-1);
  const firstPage = Math.floor(from / chunk.pageRows);
  const lastPage = Math.floor((to - 1) / chunk.pageRows);
  const room = isBrief ? sinkRoom : undefined;
  const plain = chunk.encoding === RLE_DICTIONARY ? undefined : createSink(schema, sinkBytes(chunk, to - from), room);
  let dictionary: DecodedDictionary | undefined;
  for (let number = firstPage; number <= lastPage; number++) {
    const page = chunk.pages[number];
    if (page === undefined || page.values === 0) continue;
    const pageRow = number * chunk.pageRows;
    const pageRows = Math.min(chunk.pageRows, chunk.rows - pageRow);
    const pageFrom = Math.max(0, from - pageRow);
    const pageTo = Math.min(pageRows, to - pageRow);
    const at = pageRow + pageFrom - from;
    const body = valuesBody(group, page, chunk.zstd, cache);
    const input = new ByteReader(body);
    let skip = pageFrom;
    let count = pageTo - pageFrom;
    if (schema.optional) {
      const levels = input.u32();
      const start = input.skip(levels);
      skip = pageFrom === 0 ? 0 : countLevels(body, start, start + levels, pageFrom);
      decodeHybrid(body, start, start + levels, 1, pageFrom, count, codes, at);
      count = 0;
      for (let i = at; i < at + pageTo - pageFrom; i++) count += codes[i] as number;
    }
    if (skip + count > page.values) throw damaged(schema);
    if (count > 0) {
      if (plain === undefined) {
        if (dictionary === undefined) {
          dictionary = readDictionary(schema, chunk, group, cache);
          numbers?.open(dictionary, dictionary.count);
        }
        decodeCodes(schema, input, dictionary.count, skip, count, codes, at, pageTo - pageFrom, numbers);
      } else {
        const first = plain.count;
        plain.read(input, chunk.encoding, page.values, skip, count);
        numberValues(schema, plain, first, count, codes, at, pageTo - pageFrom);
      }
    } else codes.fill(-1, at, at + pageTo - pageFrom);
  }
  if (plain !== undefined) {
    const entries = plain.entries();
    if (numbers !== undefined) {
      renumberRows(entries, plain.bools ? 2 : plain.count, codes, numbers);
    }
    if (isBrief) trimSinkRoom();
    return { codes, entries, entryCount: plain.bools ? 2 : plain.count, dictionary: plain.bools !== undefined };
  }
  return { codes, entries: dictionary ?? NO_ENTRIES, entryCount: dictionary?.count ?? 0, dictionary: true };
}

const scratch = { values: new Int32Array(1 << 14) };

function scratchOf(count: number): Int32Array {
  if (scratch.values.length < count) scratch.values = new Int32Array(count * 2);
  return scratch.values;
}

/** Turns levels (0 or 1) at `codes[at …]` into codes of a dictionary page's values. */
function decodeCodes(
  schema: ColumnSchema,
  input: ByteReader,
  entryCount: number,
  skip: number,
  count: number,
  codes: Int32Array,
  at: number,
  rows: number,
  numbers: EntryNumbers | undefined,
): void {
  const width = input.u8();
  const values = schema.optional ? scratchOf(count) : codes;
  const start = schema.optional ? 0 : at;
  decodeHybrid(input.bytes, input.at, input.end, width, skip, count, values, start);
  if (numbers !== undefined) {
    if (!numbers.renumber(values, start, start + count)) throw damaged(schema);
  } else {
    for (let i = start; i < start + count; i++) if ((values[i] as number) >= entryCount) throw damaged(schema);
  }
  if (!schema.optional) return;
  let next = 0;
  for (let i = at; i < at + rows; i++) codes[i] = codes[i] === 1 ? (values[next++] as number) : -1;
}

/** Renumbers entries that are values of rows, in their order. */
function renumberRows(entries: Values, count: number, codes: Int32Array, numbers: EntryNumbers): void {
  const values = scratchOf(count);
  for (let i = 0; i < count; i++) values[i] = i;
  numbers.open(entries, count);
  numbers.renumber(values, 0, count);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code >= 0) codes[i] = values[code] as number;
  }
}

/** Turns levels at `codes[at …]` into the numbers of values just read: from `first` on, or of booleans 0 and 1. */
function numberValues(
  schema: ColumnSchema,
  sink: ValueSink,
  first: number,
  count: number,
  codes: Int32Array,
  at: number,
  rows: number,
): void {
  const { bools } = sink;
  let next = first;
  for (let i = at; i < at + rows; i++) {
    if (schema.optional && codes[i] !== 1) codes[i] = -1;
    else {
      codes[i] = bools === undefined ? next : (bools[next] as number);
      next++;
    }
  }
  if (next !== first + count) throw damaged(schema);
}

/** Gathers values that are not dictionary codes. */
interface ValueSink {
  count: number;
  /** Values of a boolean column, instead of entries. */
  bools: Uint8Array | undefined;
  read(input: ByteReader, encoding: number, pageValues: number, skip: number, count: number): void;
  entries(): Values;
}

/** Room to begin with, for values of so many rows. Pages say how large they are: not believed beyond this. */
const SINK_BYTES = 4 * 1024 * 1024;

function sinkBytes({ pages, pageRows }: ChunkLayout, rows: number): number {
  if (rows < pageRows) return 256;
  let bytes = 256;
  for (const page of pages) bytes += page.rawBytes;
  return Math.min(bytes, SINK_BYTES);
}

/** Values that are wanted for a moment: those of the next chunk take their place. */
const sinkRoom = { out: new ByteWriter(0), offsets: new Uint32Array(64) };

/** Lets go of room that is larger than what a sink begins with. */
function trimSinkRoom(): void {
  if (sinkRoom.out.buffer.length > SINK_BYTES) sinkRoom.out = new ByteWriter(0);
  if (sinkRoom.offsets.byteLength > SINK_BYTES) sinkRoom.offsets = new Uint32Array(64);
}

function createSink(schema: ColumnSchema, bytes: number, room: typeof sinkRoom | undefined): ValueSink {
  const width = valueBytes(schema);
  const out = room?.out ?? new ByteWriter(schema.type === BOOLEAN ? 0 : bytes);
  let offsets = room?.offsets ?? new Uint32Array(schema.type === BYTE_ARRAY ? 64 : 0);
  if (room !== undefined) {
    out.reset();
    if (schema.type !== BOOLEAN) out.ensure(bytes);
    offsets[0] = 0;
  }
  const sink: ValueSink = {
    count: 0,
    bools: schema.type === BOOLEAN ? new Uint8Array(0) : undefined,
    read(input, encoding, pageValues, skip, count) {
      if (encoding === DELTA_BINARY_PACKED) readDeltas(out, input, skip, count, schema.type === INT32);
      else if (encoding === BYTE_STREAM_SPLIT) readSplit(out, input, pageValues, width, skip, count);
      else if (encoding !== PLAIN) throw damaged(schema);
      else if (sink.bools !== undefined) {
        const bits = input.view(Math.ceil(pageValues / 8));
        const bools = new Uint8Array(sink.count + count);
        bools.set(sink.bools);
        for (let i = 0, bit = skip; i < count; i++, bit++) {
          bools[sink.count + i] = ((bits[bit >>> 3] as number) >>> (bit & 7)) & 1;
        }
        sink.bools = bools;
      } else if (width > 0) {
        input.skip(skip * width);
        out.bytes(input.view(count * width));
      } else {
        if (offsets.length <= sink.count + count) {
          offsets = grown(offsets, sink.count + count + 1);
          if (room !== undefined) room.offsets = offsets;
        }
        readStrings(out, input, skip, count, offsets, sink.count);
      }
      sink.count += count;
    },
    entries: () => {
      if (sink.bools !== undefined) return BOOL_ENTRIES;
      return { bytes: out.view(), width, offsets: width > 0 ? undefined : offsets };
    },
  };
  return sink;
}

function grown(offsets: Uint32Array, needed: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(needed, 2 * offsets.length));
  larger.set(offsets);
  return larger;
}

/** Strings with their lengths before them; where each ends goes to `offsets[first + 1 …]`. */
function readStrings(
  out: ByteWriter,
  input: ByteReader,
  skip: number,
  count: number,
  offsets: Uint32Array,
  first: number,
): void {
  for (let i = 0; i < skip; i++) input.skip(input.u32());
  out.ensure(input.end - input.at);
  const { bytes } = input;
  const { buffer } = out;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const target = new DataView(buffer.buffer);
  let { length } = out;
  for (let i = 1; i <= count; i++) {
    const size = input.u32();
    const from = input.skip(size);
    if (size > 128) buffer.set(bytes.subarray(from, from + size), length);
    else {
      let k = 0;
      for (; k + 4 <= size; k += 4) target.setInt32(length + k, source.getInt32(from + k, true), true);
      for (; k < size; k++) buffer[length + k] = bytes[from + k] as number;
    }
    length += size;
    offsets[first + i] = length;
  }
  out.length = length;
}

function readDeltas(out: ByteWriter, input: ByteReader, skip: number, count: number, narrow: boolean): void {
  const halves = new Uint32Array(2 * count);
  decodeDelta(input, skip, count, halves, 0);
  for (let i = 0; i < count; i++) {
    out.u32(halves[2 * i] as number);
    if (!narrow) out.u32(halves[2 * i + 1] as number);
  }
}

function readSplit(
  out: ByteWriter,
  input: ByteReader,
  pageValues: number,
  width: number,
  skip: number,
  count: number,
): void {
  const start = input.skip(pageValues * width);
  const { bytes } = input;
  out.ensure(count * width);
  const { buffer, length } = out;
  for (let k = 0; k < width; k++) {
    const stream = start + k * pageValues + skip;
    for (let i = 0; i < count; i++) buffer[length + i * width + k] = bytes[stream + i] as number;
  }
  out.length = length + count * width;
}

/** The dictionary of a chunk: every entry. */
export function readDictionary(
  schema: ColumnSchema,
  chunk: ChunkLayout,
  group: GroupBytes,
  cache: ChunkCache,
): DecodedDictionary {
  const page = chunk.dictionary;
  if (page === undefined) throw damaged(schema);
  const known = cache.dictionary(page.offset);
  if (known !== undefined) return known;
  const stored = storedBody(group, page);
  const width = valueBytes(schema);
  const count = page.values;
  let dictionary: DecodedDictionary;
  if (width > 0) {
    const body = chunk.zstd ? decompress(stored, page.rawBytes) : stored;
    if (body.length !== count * width) throw damaged(schema);
    dictionary = { bytes: body, width, offsets: undefined, count };
  } else {
    const body = chunk.zstd ? inflateOnce(stored, page.rawBytes, 'dictionary') : stored;
    dictionary = { ...splitStrings(schema, body, count), count };
  }
  cache.putDictionary(page.offset, dictionary);
  return dictionary;
}

/** PLAIN byte arrays without their lengths. */
function splitStrings(schema: ColumnSchema, body: Uint8Array, count: number): Values {
  if (4 * count > body.length) throw damaged(schema);
  const offsets = new Uint32Array(count + 1);
  const bytes = new Uint8Array(body.length - 4 * count);
  let at = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > body.length) throw damaged(schema);
    const size =
      ((body[at] as number) |
        ((body[at + 1] as number) << 8) |
        ((body[at + 2] as number) << 16) |
        ((body[at + 3] as number) << 24)) >>>
      0;
    at += 4;
    if (size > body.length - at) throw damaged(schema);
    if (size > 64) bytes.set(body.subarray(at, at + size), length);
    else for (let k = 0; k < size; k++) bytes[length + k] = body[at + k] as number;
    at += size;
    length += size;
    offsets[i + 1] = length;
  }
  if (at !== body.length) throw damaged(schema);
  return { bytes, width: 0, offsets };
}

/** A page of values, as long as nothing else is decoded. Inflating it costs more than the few rows a lookup wants of it. */
export function valuesBody(group: GroupBytes, page: PageLayout, zstd: boolean, cache: ChunkCache): Uint8Array {
  if (!zstd) return storedBody(group, page);
  const { offset, rawBytes } = page;
  const known = cache.page(offset);
  if (known !== undefined) return known.subarray(0, rawBytes);
  const stored = storedBody(group, page);
  const kept = cache.reservePage(offset, rawBytes + 1);
  if (kept === undefined) return inflateOnce(stored, rawBytes, 'values');
  try {
    return decompressInto(stored, rawBytes, kept);
  } catch (error) {
    cache.forgetPage(offset);
    throw error;
  }
}

/** Larger pages are inflated into memory of their own. */
const SCRATCH_PAGE_BYTES = 1 << 20;
/** A page of values is still being read when its dictionary is inflated. */
const scratchPages = { values: new Uint8Array(0), dictionary: new Uint8Array(0) };

/** Into memory that the next page of its sort is inflated into. */
function inflateOnce(stored: Uint8Array, rawBytes: number, sort: 'values' | 'dictionary'): Uint8Array {
  if (rawBytes >= SCRATCH_PAGE_BYTES) return decompress(stored, rawBytes);
  if (scratchPages[sort].length === 0) scratchPages[sort] = new Uint8Array(SCRATCH_PAGE_BYTES);
  return decompressInto(stored, rawBytes, scratchPages[sort]);
}

function storedBody(group: GroupBytes, page: PageLayout): Uint8Array {
  const { bytes, base } = partOf(group, page.offset);
  const from = page.offset - base;
  const end = from + page.bodyBytes;
  if (from < 0 || end > bytes.length) throw dataError('block-truncated', 'a row group of a block ends early');
  const stored = bytes.subarray(from, end);
  if (!group.verified.has(page.offset)) {
    if (crc32(stored) !== page.crc) throw dataError('block-page', 'the checksum of a page of a block does not match');
    group.verified.add(page.offset);
  }
  return stored;
}

/** The part that begins last before an offset. */
export function partOf(group: GroupBytes, offset: number): { bytes: Uint8Array; base: number } {
  const { more } = group;
  if (more === undefined) return group;
  let low = 0;
  let high = more.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((more[middle] as GroupBytes).base <= offset) low = middle + 1;
    else high = middle;
  }
  return more[low - 1] ?? group;
}

export function damaged(schema: ColumnSchema): Error {
  return dataError('block-page', `a page of column ${schema.name} is damaged`);
}
