import type { TableAttribute } from './attribute-plan.ts';
import type { BlockFacts } from './block-facts.ts';
import type { BlockShape } from './block-shape.ts';
import { encodeAttributes } from './encode-attributes.ts';
import type { TableOptions } from './encode-spans.ts';
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
  for (let i = 0; i < rows; i++) spanRows[2 * i] = (spanRow[i] as number) + firstSpan;
  table.column(SPAN_ROW, (from, to) => writer.halves(SPAN_ROW, spanRows, from, to, { pageRows, ascending: true }));
  for (let i = 0; i < rows; i++) codes[i] = events.kind[order[i] as number] as number;
  table.codes(KIND, intValues(Int32Array.from({ length: 256 }, (_, i) => i)), 256);

  const offsets = timeOffsets(shape, order, spanRow);
  for (let i = 0; i < rows; i++) codes[i] = events.kind[order[i] as number] === 1 ? -1 : i;
  const offsetBytes = new Uint8Array(offsets.buffer);
  table.codes(TIME, { bytes: offsetBytes, width: 8, offsets: undefined }, rows);

  for (let i = 0; i < rows; i++) codes[i] = events.name[order[i] as number] as number;
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

/** Events of live spans, in the order of their spans; row groups end where those of the spans do. */
function orderEvents({ set, order: spanOrder, spans }: BlockShape, firstEvent: number): EventOrder {
  const { events } = set;
  const first = new Int32Array(set.spanCount + 1);
  for (let i = 0; i < events.count; i++) {
    const after = (events.span[i] as number) + 1;
    first[after] = (first[after] as number) + 1;
  }
  for (let row = 0; row < set.spanCount; row++) first[row + 1] = (first[row + 1] as number) + (first[row] as number);
  const position = new Int32Array(events.count).fill(-1);
  const order = new Int32Array(events.count);
  const spanRow = new Int32Array(events.count);
  const groups: number[] = [];
  const steps: number[] = [];
  let rows = 0;
  for (let group = 0; group + 1 < spans.groups.length; group++) {
    const from = spans.groups[group] as number;
    const to = spans.groups[group + 1] as number;
    groups.push(rows);
    for (let i = from; i < to; i++) {
      if ((i - from) % EVENT_STEP === 0) steps.push(firstEvent + rows);
      const row = spanOrder[i] as number;
      for (let event = first[row] as number; event < (first[row + 1] as number); event++) {
        position[event] = rows;
        order[rows] = event;
        spanRow[rows] = i;
        rows++;
      }
    }
  }
  groups.push(rows);
  return {
    space: { rows, position, groups: Int32Array.from(groups) },
    order: order.subarray(0, rows),
    spanRow: spanRow.subarray(0, rows),
    steps: Int32Array.from(steps),
  };
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
