import type { AttributePlan, TableAttribute } from './attribute-plan.ts';
import type { BlockFacts } from './block-facts.ts';
import type { BlockShape } from './block-shape.ts';
import { encodeAttributes } from './encode-attributes.ts';
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

  gather(codes, order, set.resource, resources.codes);
  table.codes(RESOURCE, intValues(ordinals(resources.count)), resources.count);

  for (let i = 0; i < rows; i++) codes[i] = set.name[order[i] as number] as number;
  countNames(scratch, rows, set.names.count);
  facts.summary.column('intrinsic', 'name', 'string', set.names, scratch.counts, rows);
  table.codes(NAME, valuesOf(set.names, NAME), set.names.count);

  const bytes = intValues(ordinals(256));
  for (let i = 0; i < rows; i++) codes[i] = set.kind[order[i] as number] as number;
  table.codes(KIND, bytes, 256);
  for (let i = 0; i < rows; i++) codes[i] = set.status[order[i] as number] as number;
  table.codes(STATUS, bytes, 256);

  const times = new Uint32Array(2 * rows);
  for (let i = 0; i < rows; i++) {
    const row = order[i] as number;
    times[2 * i] = set.start[2 * row] as number;
    times[2 * i + 1] = set.start[2 * row + 1] as number;
  }
  const minStart = extreme(times, rows, -1);
  table.column(START, (from, to) => writer.halves(START, times, from, to, { pageRows, ascending: true }));
  const maxEnd = endsOf(shape, times);
  const backwards = durations(shape, times);
  table.column(DURATION, (from, to) => writer.halves(DURATION, times, from, to, { pageRows, ascending: false }));

  encodeParents(table, PARENT, parents, interner);

  for (let i = 0; i < rows; i++) codes[i] = set.trace[order[i] as number] as number;
  table.codes(TRACE_ID, { bytes: set.traceIds, width: 16, offsets: undefined }, set.traceCount, true);

  const ids = new Int32Array(2 * rows);
  for (let i = 0; i < rows; i++) {
    const row = order[i] as number;
    ids[2 * i] = set.spanId[2 * row] as number;
    ids[2 * i + 1] = set.spanId[2 * row + 1] as number;
  }
  const idBytes = new Uint8Array(ids.buffer);
  table.column(SPAN_ID, (from, to) => writer.fixed(SPAN_ID, idBytes, from, to, { pageRows, compressible: false }));

  if (parents.remoteCount === 0) table.nothing(PARENT_ID);
  else {
    codes.set(parents.remote);
    const parentIds = new Uint8Array(set.parentId.buffer, set.parentId.byteOffset, set.spanCount * 8);
    table.codes(PARENT_ID, { bytes: parentIds, width: 8, offsets: undefined }, set.spanCount);
  }

  gather(codes, order, set.scope, scopes.codes);
  table.codes(SCOPE, intValues(ordinals(scopes.count)), scopes.count);
  interner.reset();
  for (let i = 0; i < rows; i++) codes[i] = interner.code((set.flags[order[i] as number] as number) | 0);
  table.codes(FLAGS, intValues(interner.values), interner.count);
  table.sparse(STATUS_MESSAGE, set.statusMessage);
  table.sparse(TRACE_STATE, set.traceState);

  const { written, demoted } = encodeAttributes(table, plan, set.attributes, facts, { keepEmpty });

  if (scatter(set.overflow, space, scratch) > 0) {
    facts.fragments('span', ATTRIBUTE_FIELD, set.overflow.dictionary, scratch.counts);
  }
  const ends = { rows: backwards, end: set.end, order };
  const overflow = mergeOverflow(set.overflow, demoted, ends, space, scratch, () => ATTRIBUTE_TAG);
  table.codes(OVERFLOW, overflow.entries, overflow.count);
  table.write(into);
  return { attributes: written, minStart, maxEnd };
}

function encodeParents(table: TableEncoder, schema: ColumnSchema, { delta }: ParentLinks, interner: IntInterner): void {
  const { scratch, pageRows } = table;
  const { codes, writer } = scratch;
  table.column(schema, (from, to) => {
    interner.reset();
    for (let i = from; i < to; i++) {
      const value = delta[i] as number;
      codes[i] = value === NO_PARENT ? -1 : interner.code(value);
    }
    return writer.codes(schema, codes, from, to, intValues(interner.values), interner.count, { pageRows });
  });
}

function gather(into: Int32Array, order: Int32Array, source: Int32Array, mapping: Int32Array): void {
  for (let i = 0; i < order.length; i++) into[i] = mapping[source[order[i] as number] as number] as number;
}

function ordinals(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

function countNames(scratch: EncoderScratch, rows: number, names: number): void {
  if (scratch.counts.length < names) scratch.counts = new Int32Array(names * 2);
  const { codes, counts } = scratch;
  counts.fill(0, 0, names);
  for (let i = 0; i < rows; i++) counts[codes[i] as number] = (counts[codes[i] as number] as number) + 1;
}

/** Smallest (sign -1) or largest (sign 1) of `rows` unsigned times. */
function extreme(times: Uint32Array, rows: number, sign: 1 | -1): bigint {
  let best = 0;
  for (let i = 1; i < rows; i++) {
    const high = (times[2 * i + 1] as number) - (times[2 * best + 1] as number);
    const difference = high !== 0 ? high : (times[2 * i] as number) - (times[2 * best] as number);
    if (difference * sign > 0) best = i;
  }
  return (BigInt(times[2 * best + 1] as number) << 32n) | BigInt(times[2 * best] as number);
}

/** Latest end, or start where that is later: what a time range of the block must cover. */
function endsOf({ set, order }: BlockShape, starts: Uint32Array): bigint {
  let low = 0;
  let high = 0;
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    for (let k = 0; k < 2; k++) {
      const timeHigh = (k === 0 ? set.end[2 * row + 1] : starts[2 * i + 1]) as number;
      const timeLow = (k === 0 ? set.end[2 * row] : starts[2 * i]) as number;
      if (timeHigh > high || (timeHigh === high && timeLow > low)) {
        high = timeHigh;
        low = timeLow;
      }
    }
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Replaces starts by durations; returns the rows that end before they start, whose duration is 0. */
function durations({ set, order }: BlockShape, times: Uint32Array): Int32Array {
  const backwards: number[] = [];
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number;
    const startLow = times[2 * i] as number;
    const startHigh = times[2 * i + 1] as number;
    const endLow = set.end[2 * row] as number;
    const endHigh = set.end[2 * row + 1] as number;
    if (endHigh < startHigh || (endHigh === startHigh && endLow < startLow)) {
      backwards.push(i);
      times[2 * i] = 0;
      times[2 * i + 1] = 0;
    } else {
      times[2 * i] = endLow - startLow;
      times[2 * i + 1] = endHigh - startHigh - (endLow < startLow ? 1 : 0);
    }
  }
  return Int32Array.from(backwards);
}
