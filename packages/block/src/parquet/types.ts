/** Names and numbers of the Parquet format (parquet.thrift 2.12) that blocks use. */

export const BOOLEAN = 0;
export const INT32 = 1;
export const INT64 = 2;
export const DOUBLE = 5;
export const BYTE_ARRAY = 6;
export const FIXED = 7;

type PhysicalType = typeof BOOLEAN | typeof INT32 | typeof INT64 | typeof DOUBLE | typeof BYTE_ARRAY | typeof FIXED;

export const PLAIN = 0;
export const RLE = 3;
export const DELTA_BINARY_PACKED = 5;
export const RLE_DICTIONARY = 8;
export const BYTE_STREAM_SPLIT = 9;

export type Encoding = typeof PLAIN | typeof DELTA_BINARY_PACKED | typeof RLE_DICTIONARY | typeof BYTE_STREAM_SPLIT;

type LogicalType = 'string' | 'uint8' | 'uint32' | 'uint64';

/** A column of a flat table. */
export interface ColumnSchema {
  name: string;
  type: PhysicalType;
  /** Bytes a value of a FIXED column has. */
  typeLength?: number;
  logical?: LogicalType;
  optional: boolean;
}

/** Bytes a value has; 0 for byte arrays and booleans. */
export function valueBytes(schema: Pick<ColumnSchema, 'type' | 'typeLength'>): number {
  switch (schema.type) {
    case INT32:
      return 4;
    case INT64:
    case DOUBLE:
      return 8;
    case FIXED:
      return schema.typeLength ?? 0;
    case BOOLEAN:
    case BYTE_ARRAY:
      return 0;
  }
}

/** Where a page lies and what is in it. A page is a header, which our reader steps over, and a body. */
export interface StoredPage {
  headerBytes: number;
  /** Body as stored. */
  bodyBytes: number;
  /** Body before compression. */
  rawBytes: number;
  /** Of the body as stored; also in the page header. */
  crc: number;
  /** Values that are not null; of a dictionary page its entries. */
  values: number;
}

/** A column chunk as encoded. */
export interface StoredChunk {
  bytes: Uint8Array;
  rows: number;
  values: number;
  zstd: boolean;
  encoding: Encoding;
  /** Rows of every page but the last. */
  pageRows: number;
  dictionary: StoredPage | undefined;
  pages: StoredPage[];
  /** Smallest and largest value of an unsigned 64-bit column. */
  min?: bigint;
  max?: bigint;
}
