import { assert, inSteps } from '@vivace/kernel';
import type { AttributePlan, TableAttribute } from './attribute-plan.ts';
import { BlockFacts } from './block-facts.ts';
import type { BlockShape } from './block-shape.ts';
import { encodeEvents } from './encode-events.ts';
import { encodeIndex } from './encode-index.ts';
import { encodeResources } from './encode-resources.ts';
import { encodeSpans } from './encode-spans.ts';
import { TraceEncoder } from './encode-traces.ts';
import type { FilterSink } from './filter.ts';
import type { SectionName } from './layout.ts';
import { OwnerRegistry } from './owner-registry.ts';
import type { ParentLinks } from './parent-links.ts';
import { TableWriter } from './parquet/table-writer.ts';
import { createScratch, type EncoderScratch } from './table-encoder.ts';
import { type TraceListPiece, traceId, traceListPieces } from './trace-list-pieces.ts';

/** What a block is, as its entry in the manifest says. */
export interface BlockContent {
  rows: number;
  traces: number;
  /** Earliest start and latest end (a start where it ends before), nanoseconds since 1970. */
  minStart: bigint;
  maxEnd: bigint;
  filterBytes: number;
  /** Hashes (`hashKey`) of keys with values that the filter does not know, ascending; absent: not known, or too many. */
  unfilteredKeys?: readonly number[];
}

export interface BlockEncoderOptions {
  /** Attribute columns of spans and of events. */
  spans: AttributePlan;
  events: AttributePlan;
  /** Columns of the plans are there also where the row groups of one call have no value of them. */
  keepEmpty: boolean;
  pageRows: number;
  /** Seeds hash tables over ids that senders choose; does not change the result. */
  seed: number;
  filter: FilterSink;
  /** Takes the bytes of a section, one part after another, each with an ArrayBuffer of its own (for transfer). */
  emit: (section: SectionName, bytes: Uint8Array) => void;
}

/** Encodes a block of format version 1 (FORMAT.md), some row groups at a time. */
export class BlockEncoder {
  rows = 0;
  readonly #options: BlockEncoderOptions;
  readonly #scratch: EncoderScratch = createScratch(0);
  readonly #facts: BlockFacts;
  readonly #resources = new OwnerRegistry();
  readonly #scopes = new OwnerRegistry();
  readonly #spans: TableWriter;
  readonly #events: TableWriter;
  readonly #traceTable: TableWriter;
  readonly #traces: TraceEncoder;
  readonly #traceList: TraceListPiece[] = [];
  readonly #steps: number[] = [];
  #attributes: { spans: TableAttribute[]; events: TableAttribute[] } = { spans: [], events: [] };
  #minStart = 0n;
  #maxEnd = 0n;

  constructor(options: BlockEncoderOptions) {
    this.#options = options;
    this.#facts = new BlockFacts(options.filter);
    this.#spans = new TableWriter((bytes) => options.emit('spans', bytes));
    this.#events = new TableWriter((bytes) => options.emit('events', bytes));
    this.#traceTable = new TableWriter((bytes) => options.emit('traces', bytes));
    this.#traces = new TraceEncoder(this.#traceTable, this.#scratch, options);
  }

  /**
   * Appends the row groups of a shape, which has rows.
   *
   * @param continues The first trace is the last one of the call before: a trace larger than a row group.
   */
  add(shape: BlockShape, parents: ParentLinks, continues = false): void {
    const { set, order, traceCount } = shape;
    assert(order.length > 0, 'row groups of a block have rows');
    const scratch = this.#scratch;
    const facts = this.#facts;
    if (scratch.codes.length < order.length) scratch.codes = new Int32Array(order.length);
    inSteps(traceCount, addTraceIds, facts, shape, continues);
    const resources = this.#resources.add(order, set.resource, set.resources);
    const scopes = this.#scopes.add(order, set.scope, set.scopes);
    const { spans: spanPlan, events: eventPlan, ...table } = this.#options;
    const groups = { shape, parents, resources, scopes };
    const spans = encodeSpans(groups, this.#spans, scratch, facts, { ...table, plan: spanPlan });
    const events = encodeEvents(shape, this.rows, this.#events, scratch, facts, { ...table, plan: eventPlan });
    const firstTrace = this.#traces.count - (continues ? 1 : 0);
    this.#traceList.push(...traceListPieces(shape, firstTrace));
    this.#traces.add(shape, this.rows, resources, this.#resources.entries, continues);
    for (const step of events.steps) this.#steps.push(step);
    this.#attributes = { spans: spans.attributes, events: events.attributes };
    if (this.rows === 0 || spans.minStart < this.#minStart) this.#minStart = spans.minStart;
    if (spans.maxEnd > this.#maxEnd) this.#maxEnd = spans.maxEnd;
    this.rows += order.length;
  }

  /** Writes what comes after the last row group. */
  finish(): BlockContent {
    const { emit, pageRows } = this.#options;
    const facts = this.#facts;
    const resourceTable = new TableWriter((bytes) => emit('resources', bytes));
    const attributes = encodeResources(this.#resources, this.#scopes, resourceTable, this.#scratch, facts, pageRows);
    this.#traces.finish();
    const { filter, summary, unfilteredKeys } = facts.finish();
    emit('filter', filter);
    const content = {
      rows: this.rows,
      traces: this.#traces.count,
      minStart: this.#minStart,
      maxEnd: this.#maxEnd,
      filterBytes: filter.length,
      ...(unfilteredKeys !== undefined && { unfilteredKeys }),
    };
    const index = encodeIndex({
      ...content,
      traceCount: content.traces,
      traceList: this.#traceList,
      spans: { table: this.#spans.finish(), attributes: this.#attributes.spans },
      events: {
        table: this.#events.finish(),
        attributes: this.#attributes.events,
        rows: this.#events.rows,
        steps: [...this.#steps, this.#events.rows],
      },
      resources: {
        table: resourceTable.finish(),
        attributes,
        resourceCount: this.#resources.entries.length,
        entries: [...this.#resources.entries, ...this.#scopes.entries],
      },
      traces: { table: this.#traceTable.finish(), attributes: [] },
      summary,
    });
    for (const part of index) emit('index', part);
    return content;
  }
}

/** The ids of some traces of a shape; the first of all is known already where it `continues` one. */
function addTraceIds(from: number, to: number, facts: BlockFacts, shape: BlockShape, continues: boolean): void {
  for (let trace = from === 0 && continues ? 1 : from; trace < to; trace++) facts.traceId(traceId(shape, trace), 0);
}
