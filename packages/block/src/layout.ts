import type { AttributeType } from '@vivace/columns';
import { utf8Encode } from '@vivace/kernel';
import { BOOLEAN, BYTE_ARRAY, type ColumnSchema, DOUBLE, FIXED, INT32, INT64 } from './parquet/types.ts';

/** Names and numbers of block format version 1. FORMAT.md says what they mean; change neither alone. */

export const FORMAT_VERSION = 1;
export const INDEX_MAGIC = utf8Encode('VIVX');
/** Fixed part at the start of an index. */
export const INDEX_HEADER_BYTES = 52;

/** Sections of a block, in the order in which one object holds them. */
export const SECTION_NAMES = ['spans', 'events', 'resources', 'traces', 'filter', 'index'] as const;
export type SectionName = (typeof SECTION_NAMES)[number];

/** Objects of a block that is not one object. */
export const SECTION_OBJECTS: Record<SectionName, string> = {
  spans: 'spans.parquet',
  events: 'events.parquet',
  resources: 'resources.parquet',
  traces: 'traces.parquet',
  filter: 'filter',
  index: 'index',
};

/** The one object of a small block. */
export const SINGLE_OBJECT = 'block';

export const DEFAULT_ROW_GROUP_ROWS = 131_072;
export const DEFAULT_PAGE_ROWS = 4_096;
/** Resources and scopes of more bytes are not in the index but only in the resources table. */
export const MAX_INDEX_RESOURCE_BYTES = 4 * 1024 * 1024;
/** An index up to this size is read whole; of a larger one, the trace list is read by row group. */
export const INDEX_READ_BYTES = 1024 * 1024;
/** Rows of spans between two entries of the event row list in the index. */
export const EVENT_STEP = 128;
/** Rows of one block, and of one row group: bounds for what a reader believes. */
export const MAX_BLOCK_ROWS = 20_000_000;
export const MAX_ATTRIBUTE_COLUMNS = 512;
/** Column chunks of attributes in one table. */
export const MAX_ATTRIBUTE_CHUNKS = 32_768;
/** Columns of one table that a reader believes. */
export const MAX_TABLE_COLUMNS = 1024;

/** Spans columns that are always there; hot ones first, so that a scan of them is one range a row group. */
export const SPAN_COLUMNS = [
  { name: 'resource_id', type: INT32, optional: false },
  { name: 'name', type: BYTE_ARRAY, logical: 'string', optional: false },
  { name: 'kind', type: INT32, logical: 'uint8', optional: false },
  { name: 'status', type: INT32, logical: 'uint8', optional: false },
  { name: 'start', type: INT64, logical: 'uint64', optional: false },
  { name: 'duration', type: INT64, logical: 'uint64', optional: false },
  { name: 'parent', type: INT32, optional: true },
  { name: 'trace_id', type: FIXED, typeLength: 16, optional: false },
  { name: 'span_id', type: FIXED, typeLength: 8, optional: false },
  { name: 'parent_id', type: FIXED, typeLength: 8, optional: true },
  { name: 'scope_id', type: INT32, optional: false },
  { name: 'flags', type: INT32, logical: 'uint32', optional: false },
  { name: 'status_message', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'trace_state', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'overflow', type: BYTE_ARRAY, optional: true },
] as const satisfies ColumnSchema[];

export const EVENT_COLUMNS = [
  { name: 'span_row', type: INT32, optional: false },
  { name: 'kind', type: INT32, logical: 'uint8', optional: false },
  { name: 'time_offset', type: INT64, optional: true },
  { name: 'name', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'linked_trace_id', type: FIXED, typeLength: 16, optional: true },
  { name: 'linked_span_id', type: FIXED, typeLength: 8, optional: true },
  { name: 'trace_state', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'overflow', type: BYTE_ARRAY, optional: true },
] as const satisfies ColumnSchema[];

export const RESOURCE_COLUMNS = [
  { name: 'service_name', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'kind', type: INT32, logical: 'uint8', optional: false },
  { name: 'id', type: INT32, optional: false },
  { name: 'scope_name', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'scope_version', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'bytes', type: BYTE_ARRAY, optional: false },
] as const satisfies ColumnSchema[];

export const TRACE_COLUMNS = [
  { name: 'trace_id', type: FIXED, typeLength: 16, optional: false },
  { name: 'first_row', type: INT32, optional: false },
  { name: 'span_count', type: INT32, optional: false },
  { name: 'error_count', type: INT32, optional: false },
  { name: 'start', type: INT64, logical: 'uint64', optional: false },
  { name: 'duration', type: INT64, logical: 'uint64', optional: false },
  { name: 'root_service', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'root_name', type: BYTE_ARRAY, logical: 'string', optional: true },
  { name: 'services', type: BYTE_ARRAY, optional: false },
] as const satisfies ColumnSchema[];

/** Rows of the resources table. */
export const RESOURCE_ROW = 0;
export const SCOPE_ROW = 1;

/** Where an attribute was, in the value summary. */
export const SCOPE_CODES = { span: 0, event: 1, link: 2, resource: 3, instrumentation: 4, intrinsic: 5 } as const;
export type AttributeScope = keyof typeof SCOPE_CODES;

/** Types in column lists and the value summary. `other`: arrays, maps, bytes, empty values, found in overflow only. */
export const TYPE_CODES: Record<AttributeType | 'other', number> = { string: 0, int: 1, double: 2, bool: 3, other: 4 };
export const ATTRIBUTE_TYPES: readonly AttributeType[] = ['string', 'int', 'double', 'bool'];

/** Name of the Parquet column of an attribute. */
export function attributeColumnName(key: string, type: AttributeType): string {
  return type === 'string' ? `attr.${key}` : `attr.${key}#${type}`;
}

/** Parquet schema of an attribute's column. */
export function attributeSchema(key: string, type: AttributeType): ColumnSchema {
  const name = attributeColumnName(key, type);
  switch (type) {
    case 'string':
      return { name, type: BYTE_ARRAY, logical: 'string', optional: true };
    case 'int':
      return { name, type: INT64, optional: true };
    case 'double':
      return { name, type: DOUBLE, optional: true };
    case 'bool':
      return { name, type: BOOLEAN, optional: true };
  }
}
