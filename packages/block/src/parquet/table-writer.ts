import { crc32, utf8Encode } from '@vivace/kernel';
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

/** A column of a table being written: a chunk a row group, `undefined` where the group has no value of it. */
export interface TableColumn {
  schema: ColumnSchema;
  chunks: (StoredChunk | undefined)[];
}

export interface EncodedTable {
  /** The Parquet file, to be written one after another. */
  parts: Uint8Array[];
  length: number;
  /** One for each entry of `groupRows`; those without rows are not in the file. */
  groups: EncodedGroup[];
}

interface EncodedGroup {
  rows: number;
  /** Place in the file. The chunks of a row group lie side by side in column order. */
  offset: number;
  length: number;
  /** Its chunks as `directory.ts` encodes them. */
  directory: Uint8Array;
}

const MAGIC = utf8Encode('PAR1');
const CREATED_BY = 'vivace';

/** Lays chunks out as a Parquet file: magic, row groups, footer. */
export function encodeTable(columns: readonly TableColumn[], groupRows: readonly number[]): EncodedTable {
  const parts: Uint8Array[] = [MAGIC.slice()];
  let offset = MAGIC.length;
  const groups: EncodedGroup[] = [];
  const rowGroups: FileMetaData['row_groups'] = [];
  for (const [index, rows] of groupRows.entries()) {
    const start = offset;
    if (rows === 0) {
      groups.push({ rows, offset, length: 0, directory: new Uint8Array(0) });
      continue;
    }
    const directory = new ByteWriter(256);
    const metadata: ColumnChunk[] = [];
    let rawBytes = 0;
    for (const { schema, chunks } of columns) {
      const chunk = chunks[index] ?? nullChunk(rows);
      writeChunkEntry(directory, chunk);
      const described = describeChunk(schema, chunk, offset);
      rawBytes += Number(described.meta_data?.total_uncompressed_size);
      metadata.push(described);
      parts.push(chunk.bytes);
      offset += chunk.bytes.length;
    }
    groups.push({ rows, offset: start, length: offset - start, directory: directory.take() });
    rowGroups.push({
      columns: metadata,
      total_byte_size: BigInt(rawBytes),
      num_rows: BigInt(rows),
      file_offset: BigInt(start),
      total_compressed_size: BigInt(offset - start),
    });
  }
  const footer = new ThriftWriter();
  writeMetadata(footer, {
    version: 2,
    schema: [
      { name: 'schema', num_children: columns.length, repetition_type: 'REQUIRED' },
      ...columns.map(({ schema }) => schemaElement(schema)),
    ],
    num_rows: BigInt(groupRows.reduce((sum, rows) => sum + rows, 0)),
    row_groups: rowGroups,
    created_by: CREATED_BY,
    metadata_length: 0,
  });
  const end = footer.getBytes().slice();
  parts.push(end, MAGIC.slice());
  return { parts, length: offset + end.length + MAGIC.length, groups };
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
