import type { DictionaryView } from '@vivace/columns';
import { dataError } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { ByteInterner } from '../byte-interner.ts';
import type { Owners } from '../read-rows.ts';
import type { AttributeSource, RowSet } from '../row-set.ts';
import { endsOf, eventTimes, exactEnds } from '../row-times.ts';
import { withoutEnds } from '../scan/without-ends.ts';
import type { Buffers } from './buffers.ts';
import { TableGather } from './gather.ts';
import { columnId, type InputBlock } from './input-block.ts';
import { planRuns, type RunPlan } from './plan-runs.ts';
import type { RowKeys } from './row-keys.ts';
import type { Window } from './segment.ts';

/** Attributes that some input has a column of. */
export interface InputAttributes {
  spans: readonly TableAttribute[];
  events: readonly TableAttribute[];
}

/** Rows of the output that are read together. */
export interface RowsToGather {
  windows: readonly Window[];
  keys: RowKeys;
  /** Row → position in the segment, of rows `from … to - 1`. */
  order: Int32Array;
  from: number;
  to: number;
  /** 16 bytes a trace, and the trace of each of the rows. */
  traceIds: Uint8Array;
  trace: Int32Array;
}

/**
 * The rows as what a block is encoded from, in their order: row 0 is the first of them. Good until the next call with
 * these buffers.
 */
export function gatherSet(
  { windows, keys, order, from, to, traceIds, trace }: RowsToGather,
  attributes: InputAttributes,
  buffers: Buffers,
  seed: number,
): RowSet {
  const rows = to - from;
  const plan = planRuns(windows, order, from, to);
  const spans = new TableGather('spans', plan.spans, rows, buffers, seed);
  const start = buffers.uint32('set start', 2 * rows);
  pickPairs(keys.start, order, from, to, start);
  const end = buffers.uint32('set end', 2 * rows);
  const overflow = gatherEnds(spans, start, end, rows);
  const spanId = buffers.int32('set span id', 2 * rows);
  pickPairs(keys.spanId, order, from, to, spanId);
  const parentId = buffers.int32('set parent id', 2 * rows);
  pickPairs(keys.parentId, order, from, to, parentId);
  const kind = buffers.uint8('set kind', rows);
  for (let row = 0; row < rows; row++) kind[row] = keys.kind[order[from + row] as number] as number;
  const resources = new OwnerCodes('resources', seed);
  const resource = buffers.int32('set resource', rows);
  spans.mapped('resource_id', resource, (input) => resources.of(input));
  const scopes = new OwnerCodes('scopes', seed);
  const scope = buffers.int32('set scope', rows);
  spans.mapped('scope_id', scope, (input) => scopes.of(input));
  const name = buffers.int32('set name', rows);
  const names = spans.coded('name', name, true);
  const status = buffers.uint8('set status', rows);
  spans.integers('status', status);
  const flags = buffers.uint32('set flags', rows);
  spans.integers('flags', flags);
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
    resources: resources.view(),
    scopes: scopes.view(),
    statusMessage: spans.sparse('status_message'),
    traceState: spans.sparse('trace_state'),
    attributes: sourcesOf(spans, attributes.spans),
    overflow,
    events: gatherEvents(plan, start, attributes.events, buffers, seed),
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
  attributes: readonly TableAttribute[],
  buffers: Buffers,
  seed: number,
): RowSet['events'] {
  const events = new TableGather('events', pieces, rows, buffers, seed);
  const kind = new Uint8Array(rows);
  events.integers('kind', kind);
  const time = new Uint32Array(events.fixed('time_offset', 8).buffer);
  eventTimes(time, kind, span, start, rows);
  const name = new Int32Array(rows);
  const names = events.coded('name', name);
  for (let row = 0; row < rows; row++) {
    if (kind[row] !== 1 && name[row] === -1) throw dataError('block-row', 'an event of a block has no name');
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
    name,
    names,
    linkCount: linked.count,
    linkRows: linked.rows,
    linkIds,
    traceState: events.sparse('trace_state'),
    attributes: sourcesOf(events, attributes),
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
