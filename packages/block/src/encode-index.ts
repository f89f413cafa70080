import { crc32, utf8Encode } from '@vivace/kernel';
import type { BlockShape } from './block-shape.ts';
import { ByteWriter } from './byte-writer.ts';
import type { TableAttribute } from './encode-attributes.ts';
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

/** A table and its attribute columns. */
interface IndexedTable {
  table: EncodedTable;
  attributes: readonly TableAttribute[];
}

export interface IndexContent {
  shape: BlockShape;
  minStart: bigint;
  maxEnd: bigint;
  spans: IndexedTable;
  events: IndexedTable & { rows: number; steps: Int32Array };
  resources: IndexedTable & { resourceCount: number; entries: readonly Uint8Array[] };
  traces: IndexedTable;
  summary: Uint8Array;
}

/** Encodes the index section. FORMAT.md, "Index". */
export function encodeIndex(content: IndexContent): Uint8Array[] {
  const { shape, spans, events, resources, traces } = content;
  const pieces = traceListPieces(shape);
  const front = new ByteWriter(1 << 14);
  front.varint(shape.spans.rows);
  front.varint(shape.traceCount);
  front.varint(events.rows);
  writeTime(front, content.minStart);
  writeTime(front, content.maxEnd);
  writeTable(front, spans, SPAN_COLUMNS.length, SPAN_COLUMNS.length - 1);
  writeTable(front, events, EVENT_COLUMNS.length, EVENT_COLUMNS.length - 1);
  writeTable(front, resources, RESOURCE_COLUMNS.length, RESOURCE_COLUMNS.length);
  writeTable(front, traces, TRACE_COLUMNS.length, TRACE_COLUMNS.length);
  for (const [group, piece] of pieces.entries()) {
    front.varint(shape.groupTrace[group] as number);
    front.bytes(traceId(shape, shape.groupTrace[group] as number));
    front.varint(piece.length);
    front.u32(crc32(piece));
  }
  let step = 0;
  for (const first of events.steps) {
    front.varint(first - step);
    step = first;
  }
  const parts = [front.view(), encodeOwners(resources), content.summary];
  const stored = parts.map(store);
  let listBytes = 0;
  for (const piece of pieces) listBytes += piece.length;
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
  return [header.take(), ...stored, ...pieces];
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

/**
 * Trace ids of each row group: how many, how many of them begin with eight zero bytes (ids of 64 bits padded to
 * 128), eight bytes of each (the last eight of those, the first eight of the others), then the spans of each.
 */
function traceListPieces(shape: BlockShape): Uint8Array[] {
  const { groupTrace, traceFirst, spans } = shape;
  const pieces: Uint8Array[] = [];
  const out = new ByteWriter(1 << 16);
  for (let group = 0; group + 1 < spans.groups.length; group++) {
    const first = groupTrace[group] as number;
    const end = Math.max(first + 1, groupTrace[group + 1] as number);
    let padded = 0;
    for (; first + padded < end; padded++) {
      if (traceId(shape, first + padded).some((byte, i) => i < 8 && byte !== 0)) break;
    }
    out.reset();
    out.varint(end - first);
    out.varint(padded);
    for (let trace = first; trace < end; trace++) {
      const id = traceId(shape, trace);
      out.bytes(trace < first + padded ? id.subarray(8) : id.subarray(0, 8));
    }
    for (let trace = first; trace < end; trace++) {
      const from = Math.max(traceFirst[trace] as number, spans.groups[group] as number);
      const to = Math.min(traceFirst[trace + 1] as number, spans.groups[group + 1] as number);
      out.varint(to - from);
    }
    pieces.push(out.take());
  }
  return pieces;
}

function traceId({ set, order, traceFirst }: BlockShape, trace: number): Uint8Array {
  const code = set.trace[order[traceFirst[trace] as number] as number] as number;
  return set.traceIds.subarray(16 * code, 16 * code + 16);
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
