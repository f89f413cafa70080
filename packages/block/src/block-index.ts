import type { AttributeType } from '@vivace/columns';
import { crc32, dataError, equalBytes, utf8Decode } from '@vivace/kernel';
import { ByteReader } from './byte-reader.ts';
import {
  ATTRIBUTE_TYPES,
  attributeSchema,
  EVENT_COLUMNS,
  EVENT_STEP,
  FORMAT_VERSION,
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  MAX_BLOCK_ROWS,
  MAX_INDEX_RESOURCE_BYTES,
  MAX_TABLE_COLUMNS,
  RESOURCE_COLUMNS,
  SPAN_COLUMNS,
  TRACE_COLUMNS,
} from './layout.ts';
import { decompress } from './parquet/compression.ts';
import { type ChunkLayout, readChunkEntries } from './parquet/directory.ts';
import type { ColumnSchema } from './parquet/types.ts';
import { decodeSummary, type ValueSummary } from './value-summary.ts';

/** A column of a stored table. */
export interface TableColumnLayout {
  schema: ColumnSchema;
  /** Of attribute columns. */
  attribute: { key: string; type: AttributeType } | undefined;
}

export interface TableGroup {
  firstRow: number;
  rows: number;
  /** Place in the section. */
  offset: number;
  length: number;
  directory: Uint8Array;
}

export interface TableLayout {
  columns: TableColumnLayout[];
  /** Row groups; of events one for each of the spans, empty ones included. */
  groups: TableGroup[];
  /** Of the whole section. */
  bytes: number;
}

/** Traces of one row group of spans. */
export interface TraceGroup {
  /** Number of the group's first trace among those of the block, and its id. */
  firstTrace: number;
  firstTraceId: Uint8Array;
  /** The group's piece of the trace list, in the index section. */
  list: { offset: number; length: number; crc: number };
}

/** The decoded index of a block: everything needed to plan reads. */
export interface BlockIndex {
  rows: number;
  traces: number;
  eventRows: number;
  /** Nanoseconds since 1970. */
  minStart: bigint;
  maxEnd: bigint;
  spans: TableLayout;
  events: TableLayout;
  resourceTable: TableLayout;
  traceTable: TableLayout;
  traceGroups: TraceGroup[];
  /** First event row of every EVENT_STEP spans of each group, group after group, and the number of event rows. */
  eventSteps: Int32Array;
  /** Place of each group's first step in `eventSteps`. */
  stepStart: Int32Array;
  /** Exact bytes by id; `undefined` when they are in the resources table only. */
  resources: Uint8Array[] | undefined;
  scopes: Uint8Array[] | undefined;
  resourceCount: number;
  scopeCount: number;
  /** What was read of the section: all of it, or all but the trace list. */
  bytes: Uint8Array;
  /** Place and checksum of the value summary in `bytes`. */
  summary: IndexPart;
}

interface IndexPart {
  offset: number;
  storedBytes: number;
  rawBytes: number;
  crc: number;
}

/** What the fixed part at the start of an index says. */
export interface IndexHeader {
  front: IndexPart;
  owners: IndexPart;
  summary: IndexPart;
  /** Where the trace list begins and how long it is. */
  listOffset: number;
  listBytes: number;
}

const MAX_PART_BYTES = 256 * 1024 * 1024;

/** Reads the header from the first bytes of an index. */
export function decodeIndexHeader(bytes: Uint8Array): IndexHeader {
  const input = new ByteReader(bytes);
  if (!equalBytes(input.view(INDEX_MAGIC.length), INDEX_MAGIC)) {
    throw dataError('block-index', 'this is not the index of a block');
  }
  const version = input.u32();
  if (version !== FORMAT_VERSION) {
    throw dataError('block-version', `a block has format version ${version}; this program reads ${FORMAT_VERSION}`);
  }
  let offset = INDEX_HEADER_BYTES;
  const part = (): IndexPart => {
    const described = { offset, storedBytes: input.u32(), rawBytes: input.u32(), crc: input.u32() };
    if (described.rawBytes > MAX_PART_BYTES) throw dataError('block-index', 'a part of an index is too large');
    offset += described.storedBytes;
    return described;
  };
  const header = { front: part(), owners: part(), summary: part(), listOffset: offset, listBytes: input.u32() };
  const length = input.at;
  if (input.u32() !== crc32(bytes.subarray(0, length))) {
    throw dataError('block-index', 'the header of a block index is damaged');
  }
  return header;
}

/** Decodes an index of which at least everything before the trace list is in `bytes`. */
export function decodeIndex(bytes: Uint8Array): BlockIndex {
  const header = decodeIndexHeader(bytes);
  const front = new ByteReader(readPart(bytes, header.front));
  const rows = front.varintUpTo(MAX_BLOCK_ROWS);
  const traces = front.varintUpTo(rows);
  const eventRows = front.varintUpTo(2 ** 31 - 1);
  const minStart = front.varint64();
  const maxEnd = front.varint64();
  const spans = readTable(front, SPAN_COLUMNS, rows);
  const events = readTable(front, EVENT_COLUMNS, eventRows);
  const resourceTable = readTable(front, RESOURCE_COLUMNS, 2 * rows);
  const traceTable = readTable(front, TRACE_COLUMNS, traces);
  if (events.groups.length !== spans.groups.length) throw damaged('row groups of spans and events differ');
  if (rowsOf(spans) !== rows || rowsOf(events) !== eventRows || rowsOf(traceTable) !== traces) {
    throw damaged('its row groups do not hold all rows');
  }
  const traceGroups: TraceGroup[] = [];
  let listOffset = header.listOffset;
  for (let group = 0; group < spans.groups.length; group++) {
    const firstTrace = front.varintUpTo(traces);
    const firstTraceId = front.view(16).slice();
    const length = front.varintUpTo(header.listBytes);
    const crc = front.u32();
    traceGroups.push({ firstTrace, firstTraceId, list: { offset: listOffset, length, crc } });
    listOffset += length;
  }
  if (listOffset !== header.listOffset + header.listBytes) throw damaged('its trace list has another length');
  const stepStart = new Int32Array(spans.groups.length);
  let steps = 0;
  for (const [group, { rows: groupRows }] of spans.groups.entries()) {
    stepStart[group] = steps;
    steps += Math.ceil(groupRows / EVENT_STEP);
  }
  const eventSteps = new Int32Array(steps + 1);
  let step = 0;
  for (let i = 0; i <= steps; i++) {
    step += front.varintUpTo(eventRows - step);
    eventSteps[i] = step;
  }
  if (step !== eventRows || front.at !== front.end) throw damaged('its parts do not fill it');
  const owners = readOwners(new ByteReader(readPart(bytes, header.owners)), rows);
  return {
    rows,
    traces,
    eventRows,
    minStart,
    maxEnd,
    spans,
    events,
    resourceTable,
    traceTable,
    traceGroups,
    eventSteps,
    stepStart,
    ...owners,
    bytes,
    summary: header.summary,
  };
}

/** The value summary of a block. */
export function indexSummary(index: BlockIndex): ValueSummary {
  return decodeSummary(new ByteReader(readPart(index.bytes, index.summary)));
}

/** Column chunks of a row group. */
export function groupChunks(table: TableLayout, group: number): ChunkLayout[] {
  const { directory, rows, length } = table.groups[group] as TableGroup;
  return readChunkEntries(new ByteReader(directory), table.columns, rows, length);
}

function readPart(bytes: Uint8Array, { offset, storedBytes, rawBytes, crc }: IndexPart): Uint8Array {
  const stored = new ByteReader(bytes, offset).view(storedBytes);
  if (crc32(stored) !== crc) throw damaged('a checksum does not match');
  return storedBytes === rawBytes ? stored : decompress(stored, rawBytes);
}

function readTable(input: ByteReader, fixed: readonly ColumnSchema[], maxRows: number): TableLayout {
  if (input.varint() !== fixed.length) throw damaged('a table has another number of columns than its version');
  const before = input.varintUpTo(fixed.length);
  const columns: TableColumnLayout[] = [];
  for (const schema of fixed.slice(0, before)) columns.push({ schema, attribute: undefined });
  for (let left = input.varintUpTo(MAX_TABLE_COLUMNS); left > 0; left--) {
    const type = ATTRIBUTE_TYPES[input.u8()];
    if (type === undefined) throw damaged('a column has an unknown type');
    const key = utf8Decode(input.block());
    columns.push({ schema: attributeSchema(key, type), attribute: { key, type } });
  }
  for (const schema of fixed.slice(before)) columns.push({ schema, attribute: undefined });
  const sectionBytes = input.varint();
  const sizes: { rows: number; offset: number; length: number; directoryBytes: number }[] = [];
  let firstRow = 0;
  for (let left = input.varintUpTo(input.end - input.at); left > 0; left--) {
    const rows = input.varintUpTo(maxRows - firstRow);
    const offset = input.varintUpTo(sectionBytes);
    const length = input.varintUpTo(sectionBytes - offset);
    sizes.push({ rows, offset, length, directoryBytes: input.varint() });
    firstRow += rows;
  }
  firstRow = 0;
  const groups: TableGroup[] = [];
  for (const { rows, offset, length, directoryBytes } of sizes) {
    groups.push({ firstRow, rows, offset, length, directory: input.view(directoryBytes) });
    firstRow += rows;
  }
  return { columns, groups, bytes: sectionBytes };
}

function rowsOf({ groups }: TableLayout): number {
  const last = groups.at(-1);
  return last === undefined ? 0 : last.firstRow + last.rows;
}

function readOwners(
  input: ByteReader,
  rows: number,
): Pick<BlockIndex, 'resources' | 'scopes' | 'resourceCount' | 'scopeCount'> {
  const resourceCount = input.varintUpTo(rows);
  const scopeCount = input.varintUpTo(rows);
  if (input.u8() === 0) return { resourceCount, scopeCount, resources: undefined, scopes: undefined };
  if (input.end > MAX_INDEX_RESOURCE_BYTES * 2 + 16 * rows) throw damaged('its resources are too large');
  const entries = (count: number): Uint8Array[] => Array.from({ length: count }, () => input.block());
  return { resourceCount, scopeCount, resources: entries(resourceCount), scopes: entries(scopeCount) };
}

function damaged(what: string): Error {
  return dataError('block-index', `the index of a block is damaged: ${what}`);
}
