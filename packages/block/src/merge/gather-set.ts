import type { DictionaryView, SparseColumn } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { ByteInterner } from '../byte-interner.ts';
import type { Owners } from '../read-rows.ts';
import type { AttributeSource, RowSet } from '../row-set.ts';
import { endsOf, eventTimes, exactEnds } from '../row-times.ts';
import type { Field } from '../scan/fields.ts';
import { withoutEnds } from '../scan/without-ends.ts';
import type { Buffers } from './buffers.ts';
import { TableGather } from './gather.ts';
import { columnId, type InputBlock } from './input-block.ts';
import { planRuns, type RunPlan } from './plan-runs.ts';
import type { SetKeys } from './row-keys.ts';
import type { Window } from './segment.ts';

/** Attributes that some input has a column of. */
export interface InputAttributes {
  spans: readonly TableAttribute[];
  events: readonly TableAttribute[];
}

const ONE_EMPTY: DictionaryView = { count: 1, bytes: new Uint8Array(0), offsets: new Uint32Array(2) };
const NO_VALUES: SparseColumn = {
  count: 0,
  rows: new Int32Array(0),
  codes: new Int32Array(0),
  dictionary: { count: 0, bytes: new Uint8Array(0), offsets: new Uint32Array(1) },
};

/** Rows of the output that are read together. */
export interface RowsToGather {
  windows: readonly Window[];
  keys: SetKeys;
  /** Row → position in the segment, of rows `from … to - 1`. */
  order: Int32Array;
  from: number;
  to: number;
  /** 16 bytes a trace, and the trace of each of the rows. */
  traceIds: Uint8Array;
  trace: Int32Array;
}

/** Columns that are gathered of spans, and of events and links. */
export interface SetColumns extends InputAttributes {
  /** Of others all rows have what says nothing: 0, or one empty entry. Undefined: all are gathered. */
  fields?: ReadonlySet<Field>;
}

/**
 * The rows as what a block is encoded from, in their order: row 0 is the first of them. Good until the next call with
 * these buffers.
 */
export function gatherSet(
  { windows, keys, order, from, to, traceIds, trace }: RowsToGather,
  { fields, ...attributes }: SetColumns,
  buffers: Buffers,
  seed: number,
): RowSet {
  const rows = to - from;
  const wants = (field: Field): boolean => fields === undefined || fields.has(field);
  const plan = planRuns(windows, order, from, to);
  const spans = new TableGather('spans', plan.spans, rows, buffers, seed);
  const start = buffers.uint32('set start', 2 * rows);
  if (keys.start === undefined) spans.halves('start', start);
  else pickPairs(keys.start, order, from, to, start);
  const end = buffers.uint32('set end', 2 * rows);
  const overflow = gatherEnds(spans, start, end, rows);
  const spanId = buffers.int32('set span id', 2 * rows);
  if (keys.spanId === undefined) spans.ids('span_id', spanId);
  else pickPairs(keys.spanId, order, from, to, spanId);
  const parentId = buffers.int32('set parent id', 2 * rows);
  pickPairs(keys.parentId, order, from, to, parentId);
  const kind = buffers.uint8('set kind', rows);
  for (let row = 0; row < rows; row++) kind[row] = keys.kind[order[from + row] as number] as number;
  const resources = new OwnerCodes('resources', seed);
  const resource = buffers.int32('set resource', rows);
  if (wants('resource')) spans.mapped('resource_id', resource, (input) => resources.of(input));
  else resource.fill(0, 0, rows);
  const scopes = new OwnerCodes('scopes', seed);
  const scope = buffers.int32('set scope', rows);
  if (wants('scope')) spans.mapped('scope_id', scope, (input) => scopes.of(input));
  else scope.fill(0, 0, rows);
  const name = buffers.int32('set name', rows);
  const names = wants('name') ? spans.coded('name', name, true) : ONE_EMPTY;
  if (names === ONE_EMPTY) name.fill(0, 0, rows);
  const status = buffers.uint8('set status', rows);
  if (wants('status')) spans.integers('status', status);
  else status.fill(0, 0, rows);
  const flags = buffers.uint32('set flags', rows);
  if (fields === undefined) spans.integers('flags', flags);
  else flags.fill(0, 0, rows);
  return {
    spanCount: rows,
    traceCount: traceIds.length / 16,
    traceIds,
    trace,
    spanId,
    parentId,
    start,
    end,
    name,
    kind,
    status,
    flags,
    resource,
    scope,
    dead: buffers.uint8('set dead', rows),
    names,
    resources: wants('resource') ? resources.view() : ONE_EMPTY,
    scopes: wants('scope') ? scopes.view() : ONE_EMPTY,
    statusMessage: wants('statusMessage') ? spans.sparse('status_message') : NO_VALUES,
    traceState: fields === undefined ? spans.sparse('trace_state') : NO_VALUES,
    attributes: sourcesOf(spans, attributes.spans),
    overflow,
    events: gatherEvents(plan, start, { fields, events: attributes.events }, buffers, seed),
  };
}

function sourcesOf(table: TableGather, attributes: readonly TableAttribute[]): AttributeSource[] {
  const sources: AttributeSource[] = [];
  for (const { key, type } of attributes) {
    const id = columnId({ key, type });
    if (!table.has(id)) continue;
    sources.push({
      key,
      type,
      lay: (space, scratch, kinds) => table.lay(id, space, scratch, kinds),
      column: () => ({ key, type, ...table.sparse(id) }),
    });
  }
  return sources;
}

/** Ends of spans, where exact ones lie in the overflow, too; returns the overflow without them. */
function gatherEnds(spans: TableGather, start: Uint32Array, end: Uint32Array, rows: number): RowSet['overflow'] {
  // Durations first; ends are made of them.
  spans.halves('duration', end);
  const stored = spans.sparse('overflow');
  const exact = stored.count === 0 ? [] : exactEnds(stored, end);
  endsOf(start, end, rows, end);
  for (const { row, low, high } of exact) {
    end[2 * row] = low;
    end[2 * row + 1] = high;
  }
  const { rows: rowsLeft = stored.rows, ...rest } = withoutEnds(stored, exact);
  return { rows: rowsLeft, ...rest };
}

function gatherEvents(
  { events: pieces, eventRows: rows, eventSpan: span }: RunPlan,
  start: Uint32Array,
  { fields, events: attributes }: { fields: ReadonlySet<Field> | undefined; events: readonly TableAttribute[] },
  buffers: Buffers,
  seed: number,
): RowSet['events'] {
  const wants = (field: Field): boolean => fields === undefined || fields.has(field);
  const events = new TableGather('events', pieces, rows, buffers, seed);
  const kind = new Uint8Array(rows);
  events.integers('kind', kind);
  const time = wants('eventTime') ? new Uint32Array(events.fixed('time_offset', 8).buffer) : new Uint32Array(2 * rows);
  if (wants('eventTime')) eventTimes(time, kind, span, start, rows);
  const name = new Int32Array(rows);
  const names = wants('eventName') ? events.coded('name', name) : ONE_EMPTY;
  for (let row = 0; row < rows; row++) {
    if (kind[row] !== 1 && name[row] === -1) throw dataError('block-row', 'an event of a block has no name');
  }
  const linked = wants('linkIds') ? events.sparse('linked_trace_id') : NO_VALUES;
  const linkedSpans = wants('linkIds') ? events.fixed('linked_span_id', 8) : new Uint8Array(0);
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
    name,
    names,
    linkCount: linked.count,
    linkRows: linked.rows,
    linkIds,
    traceState: fields === undefined ? events.sparse('trace_state') : NO_VALUES,
    attributes: sourcesOf(events, attributes),
    overflow: wants('eventOverflow') ? events.sparse('overflow') : NO_VALUES,
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

/** Pairs of elements by position become pairs by row. */
function pickPairs<Words extends Int32Array | Uint32Array>(
  source: Words,
  order: Int32Array,
  from: number,
  to: number,
  into: Words,
): void {
  for (let row = from, at = 0; row < to; row++, at += 2) {
    const position = 2 * (order[row] as number);
    into[at] = source[position] as number;
    into[at + 1] = source[position + 1] as number;
  }
}
