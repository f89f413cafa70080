import type { AttributeColumn, ColumnSetView, DictionaryView, SparseColumn } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { BlockIndex, TableColumnLayout, TableLayout } from './block-index.ts';
import { ByteInterner } from './byte-interner.ts';
import { ColumnBuilder } from './column-builder.ts';
import { EVENT_COLUMNS, SPAN_COLUMNS } from './layout.ts';
import { NO_PARENT } from './parent-links.ts';
import { type ChunkCache, type DecodedColumn, decodeChunk, type GroupBytes } from './parquet/chunk-reader.ts';
import type { ChunkLayout } from './parquet/directory.ts';
import { integerAt } from './parquet/whole-chunk.ts';
import { completeParents, endsOf, eventTimes, exactEnds } from './row-times.ts';

/** Rows `from … to - 1` of a row group that has been read. */
export interface TablePart {
  group: GroupBytes;
  chunks: ChunkLayout[];
  cache: ChunkCache;
  /** The table's row that is the group's first. */
  firstRow: number;
  from: number;
  to: number;
}

/** Spans of one row group, and the event rows among which theirs are. */
export interface RowsPart {
  spans: TablePart;
  events: TablePart | undefined;
}

/** Exact bytes of the resources and scopes of the block, by id. */
export interface Owners {
  resources: readonly Uint8Array[];
  scopes: readonly Uint8Array[];
}

/**
 * Decodes spans into a column set. The parts follow one another in the block and hold whole traces: parents are
 * looked up among the rows. Bytes that contradict each other give a `data` error.
 */
export function readRows(index: BlockIndex, parts: readonly RowsPart[], owners: Owners, seed: number): ColumnSetView {
  const spans = new TableRows(
    index.spans,
    parts.map((part) => part.spans),
    seed,
  );
  const { rows } = spans;
  const traces = spans.built('trace_id').dense(rows, true);
  const names = spans.built('name').dense(rows, true);
  const resource = spans.integers('resource_id', rows);
  const scope = spans.integers('scope_id', rows);
  const spanId = new Int32Array(2 * rows);
  spans.copy('span_id', new Uint8Array(spanId.buffer), 8);
  const start = new Uint32Array(2 * rows);
  spans.copy('start', new Uint8Array(start.buffer), 8);
  const duration = new Uint32Array(2 * rows);
  spans.copy('duration', new Uint8Array(duration.buffer), 8);
  const end = new Uint32Array(2 * rows);
  endsOf(start, duration, rows, end);
  const overflow = restoreEnds(spans.built('overflow').sparse(), duration, end, seed);
  const usedResources = renumber(resource, owners.resources);
  const usedScopes = renumber(scope, owners.scopes);
  return {
    spanCount: rows,
    traceCount: traces.dictionary.count,
    traceIds: traces.dictionary.bytes,
    trace: traces.codes,
    spanId,
    parentId: parentIds(spans, spanId),
    start,
    end,
    name: names.codes,
    kind: Uint8Array.from(spans.integers('kind', rows)),
    status: Uint8Array.from(spans.integers('status', rows)),
    flags: Uint32Array.from(spans.integers('flags', rows)),
    resource,
    scope,
    dead: new Uint8Array(rows),
    names: names.dictionary,
    resources: usedResources,
    scopes: usedScopes,
    statusMessage: spans.built('status_message').sparse(),
    traceState: spans.built('trace_state').sparse(),
    attributes: spans.attributes(),
    overflow,
    events: readEvents(index, parts, start, seed),
  };
}

type SpanColumn = (typeof SPAN_COLUMNS)[number]['name'];
type EventColumn = (typeof EVENT_COLUMNS)[number]['name'];

/** The columns of one table over several parts. */
class TableRows<Name extends string = SpanColumn> {
  readonly rows: number;
  readonly #table: TableLayout;
  readonly #parts: readonly TablePart[];
  readonly #builder: ColumnBuilder;
  /** Of the part decoded last. */
  #codes = new Int32Array(0);

  constructor(table: TableLayout, parts: readonly TablePart[], seed: number) {
    this.#table = table;
    this.#parts = parts;
    this.#builder = new ColumnBuilder(seed);
    this.rows = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  #number(name: Name): number {
    return this.#table.columns.findIndex(({ schema, attribute }) => attribute === undefined && schema.name === name);
  }

  /** Decodes each part of a column, for `use` alone: the next takes its memory. */
  #each(number: number, use: (decoded: DecodedColumn, base: number) => void): void {
    const { schema } = this.#table.columns[number] as TableColumnLayout;
    let base = 0;
    for (const { group, chunks, cache, from, to } of this.#parts) {
      const chunk = chunks[number] as ChunkLayout;
      if (to > from && chunk.pages.length > 0) {
        if (this.#codes.length !== to - from) this.#codes = new Int32Array(to - from);
        use(decodeChunk(schema, chunk, group, cache, from, to, this.#codes, undefined, true), base);
      }
      base += to - from;
    }
  }

  /** The column, until the next one is built. */
  built(name: Name): ColumnBuilder {
    return this.#built(this.#number(name));
  }

  #built(number: number): ColumnBuilder {
    const builder = this.#builder;
    builder.reset();
    this.#each(number, (decoded, base) => builder.append(decoded, base));
    return builder;
  }

  /** Values of an INT32 column; `absent` where it is null. */
  integers(name: Name, rows: number, absent = 0): Int32Array {
    const values = new Int32Array(rows).fill(absent);
    this.#each(this.#number(name), ({ codes, entries }, base) => {
      for (let i = 0; i < codes.length; i++) {
        const code = codes[i] as number;
        if (code >= 0) values[base + i] = integerAt(entries, code);
      }
    });
    return values;
  }

  /** Values of `width` bytes each, to where their rows are; nothing where the column is null. */
  copy(name: Name, into: Uint8Array, width: number): void {
    this.#each(this.#number(name), ({ codes, entries: { bytes } }, base) => {
      for (let i = 0; i < codes.length; i++) {
        const code = codes[i] as number;
        if (code < 0) continue;
        for (let k = 0; k < width; k++) into[(base + i) * width + k] = bytes[code * width + k] as number;
      }
    });
  }

  attributes(): AttributeColumn[] {
    const found: AttributeColumn[] = [];
    for (const [number, { attribute }] of this.#table.columns.entries()) {
      if (attribute === undefined || this.#parts.every(({ chunks }) => chunks[number]?.pages.length === 0)) continue;
      const builder = this.#built(number);
      if (builder.count > 0) found.push({ ...attribute, ...builder.sparse() });
    }
    return found;
  }
}

function parentIds(spans: TableRows, spanId: Int32Array): Int32Array {
  const { rows } = spans;
  const parentId = new Int32Array(2 * rows);
  spans.copy('parent_id', new Uint8Array(parentId.buffer), 8);
  completeParents(parentId, spans.integers('parent', rows, NO_PARENT), spanId, rows);
  return parentId;
}

/** Makes a dictionary of the entries that are used and rewrites their ids to codes of it. */
function renumber(ids: Int32Array, entries: readonly Uint8Array[]): DictionaryView {
  const known = new Map<number, number>();
  const parts: Uint8Array[] = [];
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as number;
    let code = known.get(id);
    if (code === undefined) {
      const entry = entries[id];
      if (entry === undefined) throw dataError('block-row', `a span names resource or scope ${id}, which is not there`);
      code = parts.length;
      known.set(id, code);
      parts.push(entry);
    }
    ids[row] = code;
  }
  const offsets = new Uint32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) offsets[i + 1] = (offsets[i] as number) + part.length;
  const bytes = new Uint8Array(offsets[parts.length] as number);
  for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]);
  return { count: parts.length, bytes, offsets };
}

/** Moves exact ends from overflow fragments, where spans that end before they start keep them, to `end`. */
function restoreEnds(overflow: SparseColumn, duration: Uint32Array, end: Uint32Array, seed: number): SparseColumn {
  const ends = exactEnds(overflow, duration);
  if (ends.length === 0) return overflow;
  const { bytes, offsets } = overflow.dictionary;
  const interner = new ByteInterner(seed);
  const rows = new Int32Array(overflow.count);
  const codes = new Int32Array(overflow.count);
  let count = 0;
  let next = 0;
  for (let at = 0; at < overflow.count; at++) {
    const code = overflow.codes[at] as number;
    let fragment = bytes.subarray(offsets[code], offsets[code + 1]);
    const exact = ends[next];
    if (exact?.at === at) {
      end[2 * exact.row] = exact.low;
      end[2 * exact.row + 1] = exact.high;
      fragment = exact.rest;
      next++;
    }
    if (fragment.length === 0) continue;
    rows[count] = overflow.rows[at] as number;
    codes[count++] = interner.code(fragment, 0, fragment.length);
  }
  return { count, rows, codes, dictionary: interner.view() };
}

/** Events of the spans: the event rows given may begin before and end after theirs. */
function readEvents(
  index: BlockIndex,
  parts: readonly RowsPart[],
  start: Uint32Array,
  seed: number,
): ColumnSetView['events'] {
  const own: TablePart[] = [];
  const spanRows: number[] = [];
  let base = 0;
  for (const { spans, events } of parts) {
    const first = spans.firstRow + spans.from;
    const end = spans.firstRow + spans.to;
    if (events !== undefined && events.to > events.from) {
      const candidates = new TableRows<EventColumn>(index.events, [events], seed);
      const rows = candidates.integers('span_row', candidates.rows);
      let from = 0;
      while (from < rows.length && (rows[from] as number) < first) from++;
      let to = from;
      let last = first;
      for (; to < rows.length && (rows[to] as number) < end; to++) {
        const row = rows[to] as number;
        if (row < last) throw dataError('block-row', 'events of a block are not in the order of their spans');
        last = row;
        spanRows.push(row - first + base);
      }
      own.push({ ...events, from: events.from + from, to: events.from + to });
    }
    base += spans.to - spans.from;
  }
  const table = new TableRows<EventColumn>(index.events, own, seed);
  const { rows } = table;
  const kind = Uint8Array.from(table.integers('kind', rows));
  const time = new Uint32Array(2 * rows);
  table.copy('time_offset', new Uint8Array(time.buffer), 8);
  const names = table.built('name').dense(rows);
  for (let row = 0; row < rows; row++) {
    if (kind[row] !== 1 && names.codes[row] === -1) throw dataError('block-row', 'an event of a block has no name');
  }
  const span = Int32Array.from(spanRows);
  eventTimes(time, kind, span, start, rows);
  return {
    count: rows,
    span,
    kind,
    time,
    name: names.codes,
    names: names.dictionary,
    ...links(table),
    traceState: table.built('trace_state').sparse(),
    attributes: table.attributes(),
    overflow: table.built('overflow').sparse(),
  };
}

/** Links that were sent without ids, or with others than 16 and 8 bytes, have none in the table. */
function links(table: TableRows<EventColumn>): Pick<ColumnSetView['events'], 'linkCount' | 'linkRows' | 'linkIds'> {
  const { count, rows, codes, dictionary } = table.built('linked_trace_id').sparse();
  const linkIds = new Uint8Array(24 * count);
  const spanIds = new Uint8Array(8 * table.rows);
  table.copy('linked_span_id', spanIds, 8);
  for (let link = 0; link < count; link++) {
    const trace = 16 * (codes[link] as number);
    const row = rows[link] as number;
    linkIds.set(dictionary.bytes.subarray(trace, trace + 16), 24 * link);
    linkIds.set(spanIds.subarray(8 * row, 8 * row + 8), 24 * link + 16);
  }
  return { linkCount: count, linkRows: rows, linkIds };
}
