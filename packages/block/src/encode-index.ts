import { crc32, utf8Encode } from '@vivace/kernel';
import type { TableAttribute } from './attribute-plan.ts';
import { ByteWriter } from './byte-writer.ts';
import {
  EVENT_COLUMNS,
  FORMAT_VERSION,
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  MAX_INDEX_RESOURCE_BYTES,
  RESOURCE_COLUMNS,
  SPAN_COLUMNS,
  TRACE_COLUMNS,
  TYPE_CODES,
} from './layout.ts';
import { compress } from './parquet/compression.ts';
import type { EncodedTable } from './parquet/table-writer.ts';
import type { TraceListPiece } from './trace-list-pieces.ts';

/** A table and its attribute columns. */
interface IndexedTable {
  table: EncodedTable;
  attributes: readonly TableAttribute[];
}

export interface IndexContent {
  rows: number;
  traceCount: number;
  /** One a row group of spans. */
  traceList: readonly TraceListPiece[];
  minStart: bigint;
  maxEnd: bigint;
  spans: IndexedTable;
  /** First event row of every EVENT_STEP spans of each row group, group after group, and the number of rows. */
  events: IndexedTable & { rows: number; steps: readonly number[] };
  /** Exact bytes of the resources, then of the scopes. */
  resources: IndexedTable & { resourceCount: number; entries: readonly Uint8Array[] };
  traces: IndexedTable;
  summary: Uint8Array;
}

/** Encodes the index section. FORMAT.md, "Index". */
export function encodeIndex(content: IndexContent): Uint8Array[] {
  const { traceList, spans, events, resources, traces } = content;
  const front = new ByteWriter(1 << 14);
  front.varint(content.rows);
  front.varint(content.traceCount);
  front.varint(events.rows);
  writeTime(front, content.minStart);
  writeTime(front, content.maxEnd);
  writeTable(front, spans, SPAN_COLUMNS.length, SPAN_COLUMNS.length - 1);
  writeTable(front, events, EVENT_COLUMNS.length, EVENT_COLUMNS.length - 1);
  writeTable(front, resources, RESOURCE_COLUMNS.length, RESOURCE_COLUMNS.length);
  writeTable(front, traces, TRACE_COLUMNS.length, TRACE_COLUMNS.length);
  for (const { firstTrace, firstTraceId, bytes } of traceList) {
    front.varint(firstTrace);
    front.bytes(firstTraceId);
    front.varint(bytes.length);
    front.u32(crc32(bytes));
  }
  let step = 0;
  for (const first of events.steps) {
    front.varint(first - step);
    step = first;
  }
  const parts = [front.view(), encodeOwners(resources), content.summary];
  const stored = parts.map(store);
  let listBytes = 0;
  for (const { bytes } of traceList) listBytes += bytes.length;
  const header = new ByteWriter(INDEX_HEADER_BYTES);
  header.bytes(INDEX_MAGIC);
  header.u32(FORMAT_VERSION);
  for (const [i, part] of stored.entries()) {
    header.u32(part.length);
    header.u32((parts[i] as Uint8Array).length);
    header.u32(crc32(part));
  }
  header.u32(listBytes);
  header.u32(crc32(header.view()));
  return [header.take(), ...stored, ...traceList.map(({ bytes }) => bytes)];
}

/** Attribute columns follow `before` fixed columns; the other fixed ones follow them. */
function writeTable(out: ByteWriter, { table, attributes }: IndexedTable, fixed: number, before: number): void {
  out.varint(fixed);
  out.varint(before);
  out.varint(attributes.length);
  for (const { key, type } of attributes) {
    out.u8(TYPE_CODES[type]);
    out.block(utf8Encode(key));
  }
  out.varint(table.length);
  out.varint(table.groups.length);
  for (const { rows, offset, length, directory } of table.groups) {
    out.varint(rows);
    out.varint(offset);
    out.varint(length);
    out.varint(directory.length);
  }
  for (const { directory } of table.groups) out.bytes(directory);
}

function encodeOwners({ entries, resourceCount }: IndexContent['resources']): Uint8Array {
  let length = 0;
  for (const entry of entries) length += entry.length;
  const embedded = length <= MAX_INDEX_RESOURCE_BYTES;
  const out = new ByteWriter(embedded ? length + 5 * entries.length + 16 : 16);
  out.varint(resourceCount);
  out.varint(entries.length - resourceCount);
  out.u8(embedded ? 1 : 0);
  if (embedded) for (const entry of entries) out.block(entry);
  return out.take();
}

/** A part as stored: as it is unless zstd makes it smaller. */
function store(part: Uint8Array): Uint8Array {
  const packed = compress(part);
  return Uint8Array.from(packed.length < part.length ? packed : part);
}

function writeTime(out: ByteWriter, time: bigint): void {
  out.varint64(Number(time & 0xffffffffn), Number(time >> 32n));
}
