import { foldInSteps, freeMemory, inSteps } from '@vivace/kernel';
import type { AttributePlan, TableAttribute } from './attribute-plan.ts';
import type { BlockFacts } from './block-facts.ts';
import type { BlockShape } from './block-shape.ts';
import { encodeAttributes } from './encode-attributes.ts';
import { gatherBytes, gatherCodes, gatherHalves, gatherMapped } from './gather.ts';
import { IntInterner } from './int-interner.ts';
import { SPAN_COLUMNS } from './layout.ts';
import { mergeOverflow } from './overflow.ts';
import type { OwnerCodes } from './owner-registry.ts';
import { NO_PARENT, type ParentLinks } from './parent-links.ts';
import type { TableWriter } from './parquet/table-writer.ts';
import type { ColumnSchema } from './parquet/types.ts';
import { type EncoderScratch, intValues, scatter, TableEncoder, valuesOf } from './table-encoder.ts';

// Hot path: gathers the columns of the spans table in block order. Benchmark: `encode-block.bench.ts`.

const ATTRIBUTE_FIELD = 9;
const ATTRIBUTE_TAG = (ATTRIBUTE_FIELD << 3) | 2;

/** What row groups of spans are encoded with. */
export interface SpanGroups {
  shape: BlockShape;
  parents: ParentLinks;
  resources: OwnerCodes;
  scopes: OwnerCodes;
}

/** What the row groups of a table have in common. */
export interface TableOptions {
  plan: AttributePlan;
  /** Columns of the plan without a value are written, too. */
  keepEmpty: boolean;
  pageRows: number;
  seed: number;
}

export interface EncodedSpans {
  attributes: TableAttribute[];
  /** Nanoseconds since 1970; of the ends as they were sent, where they are not before their starts. */
  minStart: bigint;
  maxEnd: bigint;
}

/** Appends row groups to the table of spans. */
export function encodeSpans(
  { shape, parents, resources, scopes }: SpanGroups,
  into: TableWriter,
  scratch: EncoderScratch,
  facts: BlockFacts,
  { plan, keepEmpty, pageRows, seed }: TableOptions,
): EncodedSpans {
  const { set, order, spans: space } = shape;
  const { rows } = space;
  const { codes, writer } = scratch;
  const table = new TableEncoder(space, scratch, pageRows);
  const interner = new IntInterner(seed);
  const [RESOURCE, NAME, KIND, STATUS, START, DURATION, PARENT, TRACE_ID, SPAN_ID, PARENT_ID, SCOPE, FLAGS, ...RARE] =
    SPAN_COLUMNS;
  const [STATUS_MESSAGE, TRACE_STATE, OVERFLOW] = RARE;

  gatherMapped(codes, order, set.resource, resources.codes);
  table.codes(RESOURCE, intValues(ordinals(resources.count)), resources.count);

  gatherCodes(codes, order, set.name);
  countNames(scratch, rows, set.names.count);
  facts.summary.column('intrinsic', 'name', 'string', set.names, scratch.counts, rows);
  table.codes(NAME, valuesOf(set.names, NAME), set.names.count);

  const bytes = intValues(ordinals(256));
  gatherBytes(codes, order, set.kind);
  table.codes(KIND, bytes, 256);
  gatherBytes(codes, order, set.status);
  table.codes(STATUS, bytes, 256);

  const times = new Uint32Array(2 * rows);
  gatherHalves(times, order, set.start);
  const minStart = timeAt(times, foldInSteps(rows, 0, earliest, times));
  table.column(START, (from, to) => writer.halves(START, times, from, to, { pageRows, ascending: true }));
  const lastStart = timeAt(times, foldInSteps(rows, 0, latest, times));
  const lastEnd = timeAt(set.end, order[foldInSteps(rows, 0, latestOf, set.end, order)] as number);
  const backwards: number[] = [];
  inSteps(rows, replaceByDurations, times, order, set.end, backwards);
  table.column(DURATION, (from, to) => writer.halves(DURATION, times, from, to, { pageRows, ascending: false }));

  encodeParents(table, PARENT, parents, interner);

  gatherCodes(codes, order, set.trace);
  table.codes(TRACE_ID, { bytes: set.traceIds, width: 16, offsets: undefined }, set.traceCount, true);

  // Where the times were.
  const ids = new Int32Array(times.buffer);
  gatherHalves(ids, order, set.spanId);
  const idBytes = new Uint8Array(ids.buffer);
  table.column(SPAN_ID, (from, to) => writer.fixed(SPAN_ID, idBytes, from, to, { pageRows, compressible: false }));
  freeMemory(times);

  if (parents.remoteCount === 0) table.nothing(PARENT_ID);
  else {
    codes.set(parents.remote);
    const parentIds = new Uint8Array(set.parentId.buffer, set.parentId.byteOffset, set.spanCount * 8);
    table.codes(PARENT_ID, { bytes: parentIds, width: 8, offsets: undefined }, set.spanCount);
  }

  gatherMapped(codes, order, set.scope, scopes.codes);
  table.codes(SCOPE, intValues(ordinals(scopes.count)), scopes.count);
  interner.reset();
  inSteps(rows, internRows, codes, order, set.flags, interner);
  table.codes(FLAGS, intValues(interner.values), interner.count);
  table.sparse(STATUS_MESSAGE, set.statusMessage);
  table.sparse(TRACE_STATE, set.traceState);

  const { written, demoted } = encodeAttributes(table, plan, set.attributes, facts, { keepEmpty });

  if (scatter(set.overflow, space, scratch) > 0) {
    facts.fragments('span', ATTRIBUTE_FIELD, set.overflow.dictionary, scratch.counts);
  }
  const ends = { rows: Int32Array.from(backwards), end: set.end, order };
  const overflow = mergeOverflow(set.overflow, demoted, ends, space, scratch, () => ATTRIBUTE_TAG);
  table.codes(OVERFLOW, overflow.entries, overflow.count);
  table.write(into);
  // What a time range of the block must cover: a span that ends before it starts is found by its start.
  return { attributes: written, minStart, maxEnd: lastEnd > lastStart ? lastEnd : lastStart };
}

function encodeParents(table: TableEncoder, schema: ColumnSchema, { delta }: ParentLinks, interner: IntInterner): void {
  const { scratch, pageRows } = table;
  const { codes, writer } = scratch;
  table.column(schema, (from, to) => {
    interner.reset();
    inSteps(to - from, internParents, codes, delta, from, interner);
    return writer.codes(schema, codes, from, to, intValues(interner.values), interner.count, { pageRows });
  });
}

function internParents(
  from: number,
  to: number,
  codes: Int32Array,
  delta: Int32Array,
  first: number,
  interner: IntInterner,
): void {
  for (let i = first + from; i < first + to; i++) {
    const value = delta[i] as number;
    codes[i] = value === NO_PARENT ? -1 : interner.code(value);
  }
}

function internRows(
  from: number,
  to: number,
  into: Int32Array,
  order: Int32Array,
  source: Uint32Array,
  interner: IntInterner,
): void {
  for (let i = from; i < to; i++) into[i] = interner.code((source[order[i] as number] as number) | 0);
}

function ordinals(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

function countNames(scratch: EncoderScratch, rows: number, names: number): void {
  if (scratch.counts.length < names) scratch.counts = new Int32Array(names * 2);
  const { codes, counts } = scratch;
  counts.fill(0, 0, names);
  inSteps(rows, countCodes, counts, codes);
}

function countCodes(from: number, to: number, counts: Int32Array, codes: Int32Array): void {
  for (let i = from; i < to; i++) counts[codes[i] as number] = (counts[codes[i] as number] as number) + 1;
}

function timeAt(times: Uint32Array, index: number): bigint {
  return (BigInt(times[2 * index + 1] as number) << 32n) | BigInt(times[2 * index] as number);
}

/** These return the better of `before` and the best of some rows. */
function earliest(before: number, from: number, to: number, times: Uint32Array): number {
  let best = before;
  for (let i = from; i < to; i++) if (isBefore(times, i, best)) best = i;
  return best;
}

function latest(before: number, from: number, to: number, times: Uint32Array): number {
  let best = before;
  for (let i = from; i < to; i++) if (isBefore(times, best, i)) best = i;
  return best;
}

/** Place in `order` of the row with the latest time. */
function latestOf(before: number, from: number, to: number, times: Uint32Array, order: Int32Array): number {
  let best = before;
  for (let i = from; i < to; i++) if (isBefore(times, order[best] as number, order[i] as number)) best = i;
  return best;
}

function isBefore(times: Uint32Array, a: number, b: number): boolean {
  const high = times[2 * a + 1] as number;
  const otherHigh = times[2 * b + 1] as number;
  return high < otherHigh || (high === otherHigh && (times[2 * a] as number) < (times[2 * b] as number));
}

/** Replaces starts by durations; adds the rows that end before they start, whose duration is 0, to `backwards`. */
function replaceByDurations(
  from: number,
  to: number,
  times: Uint32Array,
  order: Int32Array,
  end: Uint32Array,
  backwards: number[],
): void {
  for (let i = from; i < to; i++) {
    const row = order[i] as number;
    const startLow = times[2 * i] as number;
    const startHigh = times[2 * i + 1] as number;
    const endLow = end[2 * row] as number;
    const endHigh = end[2 * row + 1] as number;
    if (endHigh < startHigh || (endHigh === startHigh && endLow < startLow)) {
      backwards.push(i);
      times[2 * i] = 0;
      times[2 * i + 1] = 0;
    } else {
      times[2 * i] = endLow - startLow;
      times[2 * i + 1] = endHigh - startHigh - (endLow < startLow ? 1 : 0);
    }
  }
}
