import { equalBytes, isKind } from '@vivace/kernel';
import { ByteReader } from '../byte-reader.ts';
import { ByteWriter } from '../byte-writer.ts';
import { writeDataPageHeader, writeDictionaryPageHeader } from './page-header.ts';
import type { Encoding } from './types.ts';

/** A page header as it stands in the file. Readers of ours step over it; other programs believe it. */
export interface PageHeader {
  dictionary: boolean;
  /** Of a dictionary its entries. */
  rows: number;
  encoding: Encoding;
  rawBytes: number;
  bodyBytes: number;
  crc: number;
  /** Of the header. */
  length: number;
}

/** Reads a header that `page-header.ts` wrote; undefined for anything else, down to its last bit. */
export function readPageHeader(bytes: Uint8Array, at: number): PageHeader | undefined {
  try {
    const input = new ByteReader(bytes, at);
    const value = (): number => {
      input.u8();
      const coded = input.varint();
      return coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2;
    };
    const dictionary = value() !== 0;
    const rawBytes = value();
    const bodyBytes = value();
    const crc = value() >>> 0;
    input.u8();
    const rows = value();
    const encoding = value() as Encoding;
    if (rawBytes < 0 || bodyBytes < 0 || rows < 0) return undefined;
    const out = new ByteWriter(64);
    if (dictionary) writeDictionaryPageHeader(out, rows, rawBytes, bodyBytes, crc);
    else writeDataPageHeader(out, rows, encoding, rawBytes, bodyBytes, crc);
    if (!equalBytes(out.view(), bytes.subarray(at, at + out.length))) return undefined;
    return { dictionary, rows, encoding, rawBytes, bodyBytes, crc, length: out.length };
  } catch (error) {
    if (isKind(error, 'data')) return undefined;
    throw error;
  }
}
