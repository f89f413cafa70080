import type { ByteWriter } from '../byte-writer.ts';
import { type Encoding, PLAIN, RLE } from './types.ts';

// PageHeader in Thrift's compact protocol. A field is (id difference << 4 | type) and its value; i32 is a
// zigzag varint. Source: parquet.thrift, `PageHeader`; thrift-compact-protocol.md.

const I32 = 5;
const STRUCT = 12;
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;

/** Appends the header of a DataPage V1, whose levels are compressed with its values. */
export function writeDataPageHeader(
  out: ByteWriter,
  rows: number,
  encoding: Encoding,
  rawBytes: number,
  bodyBytes: number,
  crc: number,
): void {
  writeStart(out, DATA_PAGE, rawBytes, bodyBytes, crc);
  out.u8((1 << 4) | STRUCT); // field 5: data_page_header
  writeI32(out, 1, rows);
  writeI32(out, 1, encoding);
  writeI32(out, 1, RLE); // definition levels
  writeI32(out, 1, RLE); // repetition levels: there are none
  out.u8(0);
  out.u8(0);
}

/** Appends the header of a dictionary page of `entries` PLAIN values. */
export function writeDictionaryPageHeader(
  out: ByteWriter,
  entries: number,
  rawBytes: number,
  bodyBytes: number,
  crc: number,
): void {
  writeStart(out, DICTIONARY_PAGE, rawBytes, bodyBytes, crc);
  out.u8((3 << 4) | STRUCT); // field 7: dictionary_page_header
  writeI32(out, 1, entries);
  writeI32(out, 1, PLAIN);
  out.u8(0);
  out.u8(0);
}

function writeStart(out: ByteWriter, type: number, rawBytes: number, bodyBytes: number, crc: number): void {
  writeI32(out, 1, type);
  writeI32(out, 1, rawBytes);
  writeI32(out, 1, bodyBytes);
  writeI32(out, 1, crc | 0);
}

function writeI32(out: ByteWriter, idDifference: number, value: number): void {
  out.u8((idDifference << 4) | I32);
  out.varint(((value << 1) ^ (value >> 31)) >>> 0);
}
