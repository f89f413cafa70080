import type { AttributeColumn, ColumnSetView, DictionaryView, EventTableView } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { ByteInterner } from '../byte-interner.ts';
import type { Owners } from '../read-rows.ts';
import { eventTimes, exactEnds } from '../row-times.ts';
import { withoutEnds } from '../scan/without-ends.ts';
import { TableGather } from './gather.ts';
import { columnId, type InputBlock } from './input-block.ts';
import { planRuns } from './plan-runs.ts';
import type { RowKeys } from './row-keys.ts';
import type { Segment } from './segment.ts';

/** Attributes that some input has a column of. */
export interface InputAttributes {
  spans: readonly TableAttribute[];
  events: readonly TableAttribute[];
}

/** Rows of the output that are read together. */
export interface RowsToGather {
  segment: Segment;
  keys: RowKeys;
  /** Row → position in the segment, of rows `from … to - 1`. */
  order: Int32Array;
  from: number;
  to: number;
  /** 16 bytes a trace, and the trace of each of the rows. */
  traceIds: Uint8Array;
  trace: Int32Array;
}

/** The rows as a column set, in their order: row 0 is the first of them. */
export function gatherSet(
  { segment, keys, order, from, to, traceIds, trace }: RowsToGather,
  attributes: InputAttributes,
  seed: number,
): ColumnSetView {
  const rows = to - from;
  const plan = planRuns(segment, order, from, to, seed);
  const spans = new TableGather('spans', plan.spans, rows, seed);
  const start = halvesOf(keys.start, order, from, to);
  const resources = new OwnerCodes('resources', seed);
  const scopes = new OwnerCodes('scopes', seed);
  const resource = spans.mapped('resource_id', (input) => resources.of(input));
  const scope = spans.mapped('scope_id', (input) => scopes.of(input));
  const names = spans.coded('name', true);
  return {
    spanCount: rows,
    traceCount: traceIds.length / 16,
    traceIds,
    trace,
    spanId: wordsOf(keys.spanId, order, from, to),
    parentId: wordsOf(keys.parentId, order, from, to),
    start,
    end: halvesOf(keys.end, order, from, to),
    name: names.codes,
    kind: Uint8Array.from({ length: rows }, (_, row) => keys.kind[order[from + row] as number] as number),
    status: Uint8Array.from(spans.integers('status', { required: true })),
    flags: Uint32Array.from(spans.integers('flags', { required: true })),
    resource,
    scope,
    dead: new Uint8Array(rows),
    names: names.dictionary,
    resources: resources.view(),
    scopes: scopes.view(),
    statusMessage: spans.sparse('status_message'),
    traceState: spans.sparse('trace_state'),
    attributes: gatherAttributes(spans, attributes.spans),
    overflow: gatherOverflow(spans),
    events: gatherEvents(plan, start, attributes.events, seed),
  };
}

function gatherAttributes(table: TableGather, attributes: readonly TableAttribute[]): AttributeColumn[] {
  const columns: AttributeColumn[] = [];
  for (const { key, type } of attributes) {
    const id = columnId({ key, type });
    if (!table.has(id)) continue;
    const column = table.sparse(id);
    if (column.count > 0) columns.push({ key, type, ...column });
  }
  return columns;
}

/** Fragments without exact ends, which the keys have. */
function gatherOverflow(spans: TableGather): ColumnSetView['overflow'] {
  const stored = spans.sparse('overflow');
  if (stored.count === 0) return stored;
  const duration = new Uint32Array(spans.fixed('duration', 8, true).buffer);
  const { rows = new Int32Array(0), ...rest } = withoutEnds(stored, exactEnds(stored, duration));
  return { rows, ...rest };
}

function gatherEvents(
  { events: pieces, eventRows: rows, eventSpan: span }: ReturnType<typeof planRuns>,
  start: Uint32Array,
  attributes: readonly TableAttribute[],
  seed: number,
): EventTableView {
  const events = new TableGather('events', pieces, rows, seed);
  const kind = Uint8Array.from(events.integers('kind', { required: true }));
  const time = new Uint32Array(events.fixed('time_offset', 8).buffer);
  eventTimes(time, kind, span, start, rows);
  const names = events.coded('name');
  for (let row = 0; row < rows; row++) {
    if (kind[row] !== 1 && names.codes[row] === -1) throw dataError('block-row', 'an event of a block has no name');
  }
  const linked = events.sparse('linked_trace_id');
  const linkedSpans = events.fixed('linked_span_id', 8);
  const linkIds = new Uint8Array(24 * linked.count);
  for (let link = 0; link < linked.count; link++) {
    const code = linked.codes[link] as number;
    const row = linked.rows[link] as number;
    linkIds.set(linked.dictionary.bytes.subarray(16 * code, 16 * code + 16), 24 * link);
    linkIds.set(linkedSpans.subarray(8 * row, 8 * row + 8), 24 * link + 16);
  }
  return {
    count: rows,
    span,
    kind,
    time,
    name: names.codes,
    names: names.dictionary,
    linkCount: linked.count,
    linkRows: linked.rows,
    linkIds,
    traceState: events.sparse('trace_state'),
    attributes: gatherAttributes(events, attributes),
    overflow: events.sparse('overflow'),
  };
}

/** Resources (or scopes) of several blocks as one dictionary. */
class OwnerCodes {
  readonly #kind: keyof Owners;
  readonly #interner: ByteInterner;

  constructor(kind: keyof Owners, seed: number) {
    this.#kind = kind;
    this.#interner = new ByteInterner(seed);
  }

  of({ owners }: InputBlock): (number: number) => number {
    return (number) => {
      const entry = owners[this.#kind][number];
      if (entry === undefined)
        throw dataError('block-row', `a span names ${this.#kind} ${number}, which are not there`);
      return this.#interner.code(entry, 0, entry.length);
    };
  }

  view(): DictionaryView {
    return this.#interner.view();
  }
}

function halvesOf(source: Uint32Array, order: Int32Array, from: number, to: number): Uint32Array {
  const values = new Uint32Array(2 * (to - from));
  for (let row = from, at = 0; row < to; row++, at += 2) {
    const position = 2 * (order[row] as number);
    values[at] = source[position] as number;
    values[at + 1] = source[position + 1] as number;
  }
  return values;
}

function wordsOf(source: Int32Array, order: Int32Array, from: number, to: number): Int32Array {
  const values = new Int32Array(2 * (to - from));
  for (let row = from, at = 0; row < to; row++, at += 2) {
    const position = 2 * (order[row] as number);
    values[at] = source[position] as number;
    values[at + 1] = source[position + 1] as number;
  }
  return values;
}
