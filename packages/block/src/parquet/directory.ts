import { dataError } from '@vivace/kernel';
import type { ByteReader } from '../byte-reader.ts';
import type { ByteWriter } from '../byte-writer.ts';
import { MAX_RAW_PAGE_BYTES } from './compression.ts';
import {
  BYTE_STREAM_SPLIT,
  type ColumnSchema,
  DELTA_BINARY_PACKED,
  type Encoding,
  INT32,
  INT64,
  PLAIN,
  RLE_DICTIONARY,
  type StoredChunk,
  type StoredPage,
  valueBytes,
} from './types.ts';

// The directory of a row group: what its Parquet page headers say, in a fifth of the bytes and in one place,
// so that a reader opens a block with one read and never parses Thrift. FORMAT.md, "Directory".

const ZSTD = 1;
const DICTIONARY = 2;
const EMPTY = 16;
const ENCODINGS: readonly Encoding[] = [PLAIN, DELTA_BINARY_PACKED, RLE_DICTIONARY, BYTE_STREAM_SPLIT];

/** A page as a reader finds it. `offset` is of its body, from the start of the row group. */
export interface PageLayout {
  offset: number;
  bodyBytes: number;
  rawBytes: number;
  crc: number;
  /** Values that are not null; entries of a dictionary. 0: the page is all null and need not be read. */
  values: number;
}

export interface ChunkLayout {
  rows: number;
  zstd: boolean;
  encoding: Encoding;
  pageRows: number;
  dictionary: PageLayout | undefined;
  /** Empty when no row has a value. */
  pages: PageLayout[];
}

/** Appends the entry of a chunk. */
export function writeChunkEntry(out: ByteWriter, chunk: StoredChunk): void {
  if (chunk.values === 0) {
    out.u8(EMPTY);
    out.varint(chunk.bytes.length);
    return;
  }
  out.u8((chunk.zstd ? ZSTD : 0) | (chunk.dictionary ? DICTIONARY : 0) | (ENCODINGS.indexOf(chunk.encoding) << 2));
  out.varint(chunk.pageRows);
  if (chunk.dictionary) writePage(out, chunk.dictionary, chunk.zstd);
  for (const page of chunk.pages) writePage(out, page, chunk.zstd);
}

function writePage(out: ByteWriter, page: StoredPage, zstd: boolean): void {
  out.varint(page.values);
  out.u8(page.headerBytes);
  out.varint(page.bodyBytes);
  if (page.values === 0) return;
  if (zstd) out.varint(page.rawBytes);
  out.u32(page.crc);
}

/** Reads the entries of a row group's chunks, one a column; their bytes must fill `groupBytes` exactly. */
export function readChunkEntries(
  input: ByteReader,
  columns: readonly { schema: ColumnSchema }[],
  rows: number,
  groupBytes: number,
): ChunkLayout[] {
  const chunks: ChunkLayout[] = [];
  let offset = 0;
  const readPage = (zstd: boolean, maxValues: number): PageLayout => {
    const values = input.varintUpTo(maxValues);
    const headerBytes = input.u8();
    const bodyBytes = input.varintUpTo(groupBytes);
    const rawBytes = values > 0 && zstd ? input.varintUpTo(MAX_RAW_PAGE_BYTES) : bodyBytes;
    const crc = values > 0 ? input.u32() : 0;
    offset += headerBytes;
    const page = { offset, bodyBytes, rawBytes, crc, values };
    offset += bodyBytes;
    return page;
  };
  for (const { schema } of columns) {
    const flags = input.u8();
    if (flags === EMPTY) {
      offset += input.varintUpTo(groupBytes);
      chunks.push({ rows, zstd: false, encoding: PLAIN, pageRows: rows, dictionary: undefined, pages: [] });
      continue;
    }
    if (flags >= EMPTY) throw dataError('block-directory', `a column chunk has unknown flags ${flags}`);
    const encoding = ENCODINGS[(flags >>> 2) & 3] as Encoding;
    if (!mayHave(schema, encoding))
      throw dataError('block-directory', `the encoding of ${schema.name} is not of its type`);
    const zstd = (flags & ZSTD) !== 0;
    const pageRows = input.varintUpTo(rows);
    if (pageRows === 0) throw dataError('block-directory', 'a column chunk has pages without rows');
    const dictionary = (flags & DICTIONARY) === 0 ? undefined : readPage(zstd, rows);
    const pages: PageLayout[] = [];
    for (let row = 0; row < rows; row += pageRows) pages.push(readPage(zstd, Math.min(pageRows, rows - row)));
    chunks.push({ rows, zstd, encoding, pageRows, dictionary, pages });
  }
  if (offset !== groupBytes) {
    throw dataError('block-directory', `column chunks take ${offset} bytes of a row group of ${groupBytes}`);
  }
  return chunks;
}

function mayHave(schema: ColumnSchema, encoding: Encoding): boolean {
  if (encoding === DELTA_BINARY_PACKED) return schema.type === INT32 || schema.type === INT64;
  return encoding !== BYTE_STREAM_SPLIT || valueBytes(schema) > 0;
}
