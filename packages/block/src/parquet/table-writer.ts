import { assert, crc32, utf8Encode } from '@vivace/kernel';
import type { ColumnChunk, FileMetaData, SchemaElement } from 'hyparquet';
import { ByteWriter as ThriftWriter } from 'hyparquet-writer/src/bytewriter.js';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { ByteWriter } from '../byte-writer.ts';
import { writeChunkEntry } from './directory.ts';
import { writeDataPageHeader } from './page-header.ts';
import {
  BYTE_STREAM_SPLIT,
  type ColumnSchema,
  DELTA_BINARY_PACKED,
  type Encoding,
  PLAIN,
  RLE_DICTIONARY,
  type StoredChunk,
} from './types.ts';

/** A table that was written. */
export interface EncodedTable {
  /** Bytes of the file. */
  length: number;
  /** Row groups; those without rows are not in the file. */
  groups: EncodedGroup[];
}

export interface EncodedGroup {
  rows: number;
  /** Place in the file. The chunks of a row group lie side by side in column order. */
  offset: number;
  length: number;
  /** Its chunks as `directory.ts` encodes them. */
  directory: Uint8Array;
}

const MAGIC = utf8Encode('PAR1');
const CREATED_BY = 'vivace';

/** Writes a Parquet file row group by row group: magic, row groups, footer. */
export class TableWriter {
  /** Rows written so far. */
  rows = 0;
  readonly #emit: (bytes: Uint8Array) => void;
  readonly #groups: EncodedGroup[] = [];
  readonly #rowGroups: FileMetaData['row_groups'] = [];
  #schemas: readonly ColumnSchema[] | undefined;
  #offset = 0;

  /** `emit` takes the bytes of the file, one part after another; they are its own. */
  constructor(emit: (bytes: Uint8Array) => void) {
    this.#emit = emit;
    this.#write(MAGIC.slice());
  }

  /**
   * Appends a row group: a chunk a column, `undefined` where no row has a value. All row groups have the same
   * columns.
   */
  group(schemas: readonly ColumnSchema[], rows: number, chunks: readonly (StoredChunk | undefined)[]): void {
    this.#schemas ??= schemas;
    assert(schemas.length === this.#schemas.length, 'row groups of one table have the same columns');
    this.rows += rows;
    const start = this.#offset;
    if (rows === 0) {
      this.#groups.push({ rows, offset: start, length: 0, directory: new Uint8Array(0) });
      return;
    }
    const directory = new ByteWriter(256);
    const metadata: ColumnChunk[] = [];
    let rawBytes = 0;
    for (const [column, schema] of schemas.entries()) {
      const chunk = chunks[column] ?? nullChunk(rows);
      writeChunkEntry(directory, chunk);
      const described = describeChunk(schema, chunk, this.#offset);
      rawBytes += Number(described.meta_data?.total_uncompressed_size);
      metadata.push(described);
      this.#write(chunk.bytes);
    }
    const length = this.#offset - start;
    this.#groups.push({ rows, offset: start, length, directory: directory.take() });
    this.#rowGroups.push({
      columns: metadata,
      total_byte_size: BigInt(rawBytes),
      num_rows: BigInt(rows),
      file_offset: BigInt(start),
      total_compressed_size: BigInt(length),
    });
  }

  /** Writes the footer. */
  finish(): EncodedTable {
    const schemas = this.#schemas ?? [];
    const footer = new ThriftWriter();
    writeMetadata(footer, {
      version: 2,
      schema: [
        { name: 'schema', num_children: schemas.length, repetition_type: 'REQUIRED' },
        ...schemas.map(schemaElement),
      ],
      num_rows: BigInt(this.rows),
      row_groups: this.#rowGroups,
      created_by: CREATED_BY,
      metadata_length: 0,
    });
    this.#write(footer.getBytes().slice());
    this.#write(MAGIC.slice());
    return { length: this.#offset, groups: this.#groups };
  }

  #write(bytes: Uint8Array): void {
    this.#offset += bytes.length;
    this.#emit(bytes);
  }
}

/** A chunk of one page without a value. */
function nullChunk(rows: number): StoredChunk {
  const body = new ByteWriter(16);
  body.u32(0);
  body.varint(rows * 2);
  body.u8(0);
  body.buffer[0] = body.length - 4;
  const out = new ByteWriter(64);
  const crc = crc32(body.view());
  writeDataPageHeader(out, rows, PLAIN, body.length, body.length, crc);
  const page = { headerBytes: out.length, bodyBytes: body.length, rawBytes: body.length, crc, values: 0 };
  out.bytes(body.view());
  return {
    bytes: out.take(),
    rows,
    values: 0,
    zstd: false,
    encoding: PLAIN,
    pageRows: rows,
    dictionary: undefined,
    pages: [page],
  };
}

const TYPE_NAMES = {
  0: 'BOOLEAN',
  1: 'INT32',
  2: 'INT64',
  5: 'DOUBLE',
  6: 'BYTE_ARRAY',
  7: 'FIXED_LEN_BYTE_ARRAY',
} as const;

const ENCODING_NAMES = {
  [PLAIN]: 'PLAIN',
  [DELTA_BINARY_PACKED]: 'DELTA_BINARY_PACKED',
  [RLE_DICTIONARY]: 'RLE_DICTIONARY',
  [BYTE_STREAM_SPLIT]: 'BYTE_STREAM_SPLIT',
} as const satisfies Record<Encoding, string>;

function schemaElement(schema: ColumnSchema): SchemaElement {
  const element: SchemaElement = {
    name: schema.name,
    type: TYPE_NAMES[schema.type],
    repetition_type: schema.optional ? 'OPTIONAL' : 'REQUIRED',
  };
  if (schema.typeLength !== undefined) element.type_length = schema.typeLength;
  switch (schema.logical) {
    case 'string':
      element.converted_type = 'UTF8';
      element.logical_type = { type: 'STRING' };
      break;
    case 'uint8':
      element.converted_type = 'UINT_8';
      break;
    case 'uint32':
      element.converted_type = 'UINT_32';
      break;
    case 'uint64':
      element.converted_type = 'UINT_64';
      break;
    case undefined:
      break;
  }
  return element;
}

function describeChunk(schema: ColumnSchema, chunk: StoredChunk, offset: number): ColumnChunk {
  const { dictionary } = chunk;
  const dictionaryBytes = dictionary ? dictionary.headerBytes + dictionary.bodyBytes : 0;
  let rawBytes = dictionary ? dictionary.headerBytes + dictionary.rawBytes : 0;
  for (const page of chunk.pages) rawBytes += page.headerBytes + page.rawBytes;
  const described: ColumnChunk = {
    file_offset: BigInt(offset),
    meta_data: {
      type: TYPE_NAMES[schema.type],
      encodings: dictionary
        ? ['PLAIN', 'RLE', ENCODING_NAMES[chunk.encoding]]
        : ['RLE', ENCODING_NAMES[chunk.encoding]],
      path_in_schema: [schema.name],
      codec: chunk.zstd ? 'ZSTD' : 'UNCOMPRESSED',
      num_values: BigInt(chunk.rows),
      total_uncompressed_size: BigInt(rawBytes),
      total_compressed_size: BigInt(chunk.bytes.length),
      data_page_offset: BigInt(offset + dictionaryBytes),
    },
  };
  const metadata = described.meta_data;
  if (metadata === undefined) return described;
  if (dictionary) metadata.dictionary_page_offset = BigInt(offset);
  metadata.statistics = { null_count: BigInt(chunk.rows - chunk.values) };
  if (chunk.min !== undefined && chunk.max !== undefined) {
    metadata.statistics.min_value = chunk.min;
    metadata.statistics.max_value = chunk.max;
  }
  return described;
}
