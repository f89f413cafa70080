import { addUp, freeMemory, inSteps } from '@vivace/kernel';
import type { TableAttribute } from './attribute-plan.ts';
import type { BlockFacts } from './block-facts.ts';
import type { BlockShape } from './block-shape.ts';
import { encodeAttributes } from './encode-attributes.ts';
import type { TableOptions } from './encode-spans.ts';
import { gatherBytes, gatherCodes } from './gather.ts';
import { EVENT_COLUMNS, EVENT_STEP } from './layout.ts';
import { mergeOverflow } from './overflow.ts';
import type { TableWriter } from './parquet/table-writer.ts';
import type { RowSet } from './row-set.ts';
import type { RowSpace } from './row-space.ts';
import { type EncoderScratch, intValues, scatter, TableEncoder, valuesOf } from './table-encoder.ts';

// Hot path: gathers the columns of the events table in span order. Benchmark: `encode-block.bench.ts`.

const EVENT_ATTRIBUTE_FIELD = 3;
const LINK_ATTRIBUTE_FIELD = 4;

export interface EncodedEvents {
  attributes: TableAttribute[];
  /** First event row of every EVENT_STEP spans of each row group, group after group. */
  steps: Int32Array;
}

interface EventOrder {
  space: RowSpace;
  /** Row of the table → event row in the column set. */
  order: Int32Array;
  /** Row of the table → row of its span, from the first of these groups. */
  spanRow: Int32Array;
  steps: Int32Array;
}

/** Appends row groups to the table of events; `firstSpan` is the first of their spans in the block. */
export function encodeEvents(
  shape: BlockShape,
  firstSpan: number,
  into: TableWriter,
  scratch: EncoderScratch,
  facts: BlockFacts,
  { plan, keepEmpty, pageRows }: TableOptions,
): EncodedEvents {
  const { set } = shape;
  const { events } = set;
  const { space, order, spanRow, steps } = orderEvents(shape, into.rows);
  const { rows } = space;
  if (scratch.codes.length < rows) scratch.codes = new Int32Array(rows);
  const { codes, writer } = scratch;
  const table = new TableEncoder(space, scratch, pageRows);
  const [SPAN_ROW, KIND, TIME, NAME, LINKED_TRACE, LINKED_SPAN, TRACE_STATE, OVERFLOW] = EVENT_COLUMNS;

  const spanRows = new Uint32Array(2 * rows);
  shiftRows(spanRows, spanRow, firstSpan);
  table.column(SPAN_ROW, (from, to) => writer.halves(SPAN_ROW, spanRows, from, to, { pageRows, ascending: true }));
  gatherBytes(codes, order, events.kind);
  table.codes(KIND, intValues(Int32Array.from({ length: 256 }, (_, i) => i)), 256);

  const offsets = timeOffsets(shape, order, spanRow);
  numberEvents(codes, order, events.kind);
  const offsetBytes = new Uint8Array(offsets.buffer);
  table.codes(TIME, { bytes: offsetBytes, width: 8, offsets: undefined }, rows);

  gatherCodes(codes, order, events.name);
  countEventNames(events.names.count, rows, scratch, facts, set);
  table.codes(NAME, valuesOf(events.names, NAME), events.names.count);

  encodeLinks(table, events, [LINKED_TRACE, LINKED_SPAN]);
  table.sparse(TRACE_STATE, events.traceState);

  const { written, demoted } = encodeAttributes(table, plan, events.attributes, facts, {
    keepEmpty,
    kinds: events.kind,
  });

  if (scatter(events.overflow, space, scratch, events.kind) > 0) {
    facts.fragments('event', EVENT_ATTRIBUTE_FIELD, events.overflow.dictionary, scratch.counts);
    facts.fragments('link', LINK_ATTRIBUTE_FIELD, events.overflow.dictionary, scratch.linkCounts);
  }
  const overflow = mergeOverflow(
    events.overflow,
    demoted,
    undefined,
    space,
    scratch,
    (row) => ((events.kind[row] === 1 ? LINK_ATTRIBUTE_FIELD : EVENT_ATTRIBUTE_FIELD) << 3) | 2,
  );
  table.codes(OVERFLOW, overflow.entries, overflow.count);
  table.write(into);
  return { attributes: written, steps };
}

function shiftRows(halves: Uint32Array, spanRow: Int32Array, firstSpan: number): void {
  for (let i = 0; i < spanRow.length; i++) halves[2 * i] = (spanRow[i] as number) + firstSpan;
}

/** Its own number for each event; -1 for links, which have no time. */
function numberEvents(codes: Int32Array, order: Int32Array, kinds: Uint8Array): void {
  for (let i = 0; i < order.length; i++) codes[i] = kinds[order[i] as number] === 1 ? -1 : i;
}

/** Events of live spans, in the order of their spans; row groups end where those of the spans do. */
function orderEvents({ set, order: spanOrder, spans }: BlockShape, firstEvent: number): EventOrder {
  const { events } = set;
  const first = firstEvents(events.span, events.count, set.spanCount);
  const placed: PlacedEvents = {
    rows: 0,
    position: new Int32Array(events.count).fill(-1),
    order: new Int32Array(events.count),
    spanRow: new Int32Array(events.count),
  };
  const groups: number[] = [0];
  const steps: number[] = [];
  for (let group = 0; group + 1 < spans.groups.length; group++) {
    const to = spans.groups[group + 1] as number;
    for (let from = spans.groups[group] as number; from < to; from += EVENT_STEP) {
      steps.push(firstEvent + placed.rows);
      placeEvents(placed, spanOrder, first, from, Math.min(to, from + EVENT_STEP));
    }
    groups.push(placed.rows);
  }
  freeMemory(first);
  const { rows, position, order, spanRow } = placed;
  return {
    space: { rows, position, groups: Int32Array.from(groups) },
    order: order.subarray(0, rows),
    spanRow: spanRow.subarray(0, rows),
    steps: Int32Array.from(steps),
  };
}

/** First event of each span of the column set, and the end of the last one's. */
function firstEvents(spans: Int32Array, count: number, spanCount: number): Int32Array {
  const first = new Int32Array(spanCount + 1);
  inSteps(count, countEvents, first, spans);
  addUp(first);
  return first;
}

/** Counts the events of each span at the span's row + 1. */
function countEvents(from: number, to: number, counts: Int32Array, spans: Int32Array): void {
  for (let i = from; i < to; i++) {
    const after = (spans[i] as number) + 1;
    counts[after] = (counts[after] as number) + 1;
  }
}

interface PlacedEvents {
  rows: number;
  /** Event row in the column set → row of the table, -1 where it is not in it. */
  position: Int32Array;
  order: Int32Array;
  spanRow: Int32Array;
}

/** Appends the events of the spans `from … to - 1` in block order. */
function placeEvents(placed: PlacedEvents, spanOrder: Int32Array, first: Int32Array, from: number, to: number): void {
  const { position, order, spanRow } = placed;
  let { rows } = placed;
  for (let i = from; i < to; i++) {
    const row = spanOrder[i] as number;
    for (let event = first[row] as number; event < (first[row + 1] as number); event++) {
      position[event] = rows;
      order[rows] = event;
      spanRow[rows] = i;
      rows++;
    }
  }
  placed.rows = rows;
}

/** Time of each event minus the start of its span, modulo 2^64. */
function timeOffsets({ set, order: spanOrder }: BlockShape, order: Int32Array, spanRow: Int32Array): Uint32Array {
  const { time } = set.events;
  const offsets = new Uint32Array(2 * order.length);
  for (let i = 0; i < order.length; i++) {
    const event = order[i] as number;
    const span = spanOrder[spanRow[i] as number] as number;
    const low = time[2 * event] as number;
    const startLow = set.start[2 * span] as number;
    offsets[2 * i] = low - startLow;
    offsets[2 * i + 1] =
      (time[2 * event + 1] as number) - (set.start[2 * span + 1] as number) - (low < startLow ? 1 : 0);
  }
  return offsets;
}

function encodeLinks(
  table: TableEncoder,
  events: RowSet['events'],
  [traceSchema, spanSchema]: [(typeof EVENT_COLUMNS)[4], (typeof EVENT_COLUMNS)[5]],
): void {
  const { space, scratch } = table;
  const { linkCount, linkRows, linkIds } = events;
  const traceIds = new Uint8Array(16 * linkCount);
  const spanIds = new Uint8Array(8 * linkCount);
  for (let link = 0; link < linkCount; link++) {
    traceIds.set(linkIds.subarray(24 * link, 24 * link + 16), 16 * link);
    spanIds.set(linkIds.subarray(24 * link + 16, 24 * link + 24), 8 * link);
  }
  for (const [schema, bytes, width] of [
    [traceSchema, traceIds, 16],
    [spanSchema, spanIds, 8],
  ] as const) {
    scratch.codes.fill(-1, 0, space.rows);
    for (let link = 0; link < linkCount; link++) {
      const at = space.position[linkRows[link] as number] as number;
      if (at >= 0) scratch.codes[at] = link;
    }
    table.codes(schema, { bytes, width, offsets: undefined }, linkCount);
  }
}

function countEventNames(
  names: number,
  rows: number,
  scratch: EncoderScratch,
  facts: BlockFacts,
  { events }: RowSet,
): void {
  if (scratch.counts.length < names) scratch.counts = new Int32Array(names * 2);
  const { codes, counts } = scratch;
  counts.fill(0, 0, names);
  let total = 0;
  for (let i = 0; i < rows; i++) {
    const code = codes[i] as number;
    if (code < 0) continue;
    counts[code] = (counts[code] as number) + 1;
    total++;
  }
  facts.summary.column('intrinsic', 'event:name', 'string', events.names, counts, total);
}
