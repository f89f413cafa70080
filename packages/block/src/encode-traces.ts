import { freeMemory, inSteps } from '@vivace/kernel';
import type { BlockShape } from './block-shape.ts';
import { ByteInterner } from './byte-interner.ts';
import { ByteWriter } from './byte-writer.ts';
import { serviceNameOf } from './encode-resources.ts';
import { TRACE_COLUMNS } from './layout.ts';
import type { OwnerCodes } from './owner-registry.ts';
import type { TableWriter } from './parquet/table-writer.ts';
import type { RowSet } from './row-set.ts';
import { type EncoderScratch, intValues, TableEncoder, valuesOf } from './table-encoder.ts';
import { traceId } from './trace-list-pieces.ts';

// Hot path: one pass over all spans. Benchmark: `encode-block.bench.ts`.

const STATUS_ERROR = 2;

/** Of the traces table: its facts wait in memory, some 80 bytes a trace. */
const TRACES_GROUP_ROWS = 32_768;

export interface TraceEncoderOptions {
  pageRows: number;
  seed: number;
}

/**
 * Encodes the table of traces, a row group at a time. A trace of the block may be part of a larger one; its facts here
 * are of the spans in the block.
 */
export class TraceEncoder {
  /** Traces so far. */
  count = 0;
  readonly #into: TableWriter;
  readonly #scratch: EncoderScratch;
  readonly #options: TraceEncoderOptions;
  readonly #services: ServiceNumbers;
  /** Spans and failed spans of the open trace by service. */
  #spans = new Int32Array(16);
  #errors = new Int32Array(16);
  /** Services of the open trace, by first span. */
  #touched = new Int32Array(16);
  #touchedCount = 0;
  #hasRoot = false;
  #group: TraceGroupFacts;

  constructor(into: TableWriter, scratch: EncoderScratch, options: TraceEncoderOptions) {
    this.#into = into;
    this.#scratch = scratch;
    this.#options = options;
    this.#services = new ServiceNumbers(options.seed);
    this.#group = new TraceGroupFacts(options.seed);
  }

  /**
   * Adds the traces of some row groups; `firstRow` is their first row in the block.
   *
   * @param entries Exact bytes of the resources of the block, by number.
   * @param continues The first trace is the last one of the call before.
   */
  add(
    shape: BlockShape,
    firstRow: number,
    { codes: resourceCodes }: OwnerCodes,
    entries: readonly Uint8Array[],
    continues: boolean,
  ): void {
    this.#services.learn(entries);
    this.#reserve(this.#services.count);
    inSteps(shape.traceCount, TraceEncoder.#addSome, this, shape, firstRow, resourceCodes, continues);
  }

  static #addSome(
    this: void,
    first: number,
    end: number,
    encoder: TraceEncoder,
    shape: BlockShape,
    firstRow: number,
    resourceCodes: Int32Array,
    continues: boolean,
  ): void {
    const { set, order, traceFirst } = shape;
    for (let trace = first; trace < end; trace++) {
      const from = traceFirst[trace] as number;
      if (trace > 0 || !continues) {
        encoder.#close();
        if (encoder.#group.count === TRACES_GROUP_ROWS) encoder.#flush();
        encoder.#group.open(traceId(shape, trace), firstRow + from, set.start, order[from] as number);
        encoder.count++;
      }
      encoder.#addSpans(set, order, resourceCodes, from, traceFirst[trace + 1] as number);
    }
  }

  /** Adds the spans `from … to - 1` in block order to the open trace. */
  #addSpans(set: RowSet, order: Int32Array, resourceCodes: Int32Array, from: number, to: number): void {
    const { numbers } = this.#services;
    const spans = this.#spans;
    const errors = this.#errors;
    const touched = this.#touched;
    const group = this.#group;
    const at = group.count - 1;
    let endLow = group.end[2 * at] as number;
    let endHigh = group.end[2 * at + 1] as number;
    let failed = 0;
    let touchedCount = this.#touchedCount;
    let root = -1;
    const wanted = !this.#hasRoot;
    for (let i = from; i < to; i++) {
      const row = order[i] as number;
      const low = set.end[2 * row] as number;
      const high = set.end[2 * row + 1] as number;
      if (high > endHigh || (high === endHigh && low > endLow)) {
        endLow = low;
        endHigh = high;
      }
      const service = numbers[resourceCodes[set.resource[row] as number] as number] as number;
      if (spans[service] === 0) touched[touchedCount++] = service;
      spans[service] = (spans[service] as number) + 1;
      if (set.status[row] === STATUS_ERROR) {
        errors[service] = (errors[service] as number) + 1;
        failed++;
      }
      if (wanted && root < 0 && set.parentId[2 * row] === 0 && set.parentId[2 * row + 1] === 0) root = row;
    }
    this.#touchedCount = touchedCount;
    group.end[2 * at] = endLow;
    group.end[2 * at + 1] = endHigh;
    group.spanCount[at] = (group.spanCount[at] as number) + to - from;
    group.errorCount[at] = (group.errorCount[at] as number) + failed;
    if (root >= 0) {
      this.#hasRoot = true;
      const name = set.name[root] as number;
      const { bytes, offsets } = set.names;
      group.rootService[at] = numbers[resourceCodes[set.resource[root] as number] as number] as number;
      group.rootName[at] = group.names.code(bytes, offsets[name] as number, offsets[name + 1] as number);
    }
  }

  /** Writes what has not been written. */
  finish(): void {
    this.#close();
    this.#flush();
  }

  /** The open trace gets no more spans. */
  #close(): void {
    const { services } = this.#group;
    for (let i = 0; i < this.#touchedCount; i++) {
      const service = this.#touched[i] as number;
      const failures = this.#errors[service] as number;
      services.varint(service);
      services.varint((this.#spans[service] as number) * 2 + (failures > 0 ? 1 : 0));
      if (failures > 0) services.varint(failures);
      this.#spans[service] = 0;
      this.#errors[service] = 0;
    }
    this.#touchedCount = 0;
    this.#hasRoot = false;
    this.#group.serviceOffsets[this.#group.count] = services.length;
  }

  #flush(): void {
    this.#group.encode(this.#into, this.#scratch, this.#services, this.#options);
    this.#group.reset();
  }

  #reserve(services: number): void {
    if (services <= this.#spans.length) return;
    const grow = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(2 * services);
      grown.set(array);
      return grown;
    };
    this.#spans = grow(this.#spans);
    this.#errors = grow(this.#errors);
    this.#touched = grow(this.#touched);
  }
}

/** Facts of the traces of one row group. */
class TraceGroupFacts {
  count = 0;
  ids = new Uint8Array(16 * 1024);
  firstRow = new Uint32Array(2 * 1024);
  spanCount = new Int32Array(1024);
  errorCount = new Int32Array(1024);
  start = new Uint32Array(2 * 1024);
  end = new Uint32Array(2 * 1024);
  rootService = new Int32Array(1024);
  rootName = new Int32Array(1024);
  serviceOffsets = new Uint32Array(1025);
  readonly services = new ByteWriter(1 << 14);
  readonly names: ByteInterner;

  constructor(seed: number) {
    this.names = new ByteInterner(seed);
  }

  /** Forgets the traces, and keeps the memory. */
  reset(): void {
    this.count = 0;
    this.services.reset();
    this.names.reset();
  }

  /** Opens a trace that begins with span `first` of a set with these starts. */
  open(id: Uint8Array, row: number, starts: Uint32Array, first: number): void {
    if (this.count === this.spanCount.length) this.#grow();
    const at = this.count++;
    this.ids.set(id, 16 * at);
    this.firstRow[2 * at] = row;
    this.spanCount[at] = 0;
    this.errorCount[at] = 0;
    for (let half = 0; half < 2; half++) {
      this.start[2 * at + half] = starts[2 * first + half] as number;
      this.end[2 * at + half] = starts[2 * first + half] as number;
    }
    this.rootService[at] = -1;
    this.rootName[at] = -1;
  }

  encode(
    into: TableWriter,
    scratch: EncoderScratch,
    services: ServiceNumbers,
    { pageRows }: TraceEncoderOptions,
  ): void {
    const { count } = this;
    if (scratch.codes.length < count) scratch.codes = new Int32Array(count);
    const { codes, writer } = scratch;
    const groups = count === 0 ? Int32Array.of(0) : Int32Array.of(0, count);
    const table = new TableEncoder({ rows: count, position: codes, groups }, scratch, pageRows);
    const [TRACE_ID, FIRST_ROW, SPAN_COUNT, ERROR_COUNT, START, DURATION, ROOT_SERVICE, ROOT_NAME, SERVICES] =
      TRACE_COLUMNS;
    const { ids, firstRow, start, end } = this;
    const inAnyOrder = { pageRows, ascending: false };
    table.column(TRACE_ID, (from, to) => writer.fixed(TRACE_ID, ids, from, to, { pageRows, compressible: false }));
    table.column(FIRST_ROW, (from, to) => writer.halves(FIRST_ROW, firstRow, from, to, { pageRows, ascending: true }));
    for (const [schema, values] of [
      [SPAN_COUNT, this.spanCount],
      [ERROR_COUNT, this.errorCount],
    ] as const) {
      const distinct = distinctIntegers(values.subarray(0, count));
      codes.set(distinct.codes);
      table.codes(schema, intValues(distinct.values), distinct.values.length);
    }
    table.column(START, (from, to) => writer.halves(START, start, from, to, inAnyOrder));
    subtractTimes(end, start, count);
    table.column(DURATION, (from, to) => writer.halves(DURATION, end, from, to, inAnyOrder));
    codes.set(this.rootService.subarray(0, count));
    const names = services.names.view();
    table.codes(ROOT_SERVICE, valuesOf(names, ROOT_SERVICE), names.count);
    codes.set(this.rootName.subarray(0, count));
    const rootNames = this.names.view();
    table.codes(ROOT_NAME, valuesOf(rootNames, ROOT_NAME), rootNames.count);
    numberUp(codes, count);
    table.codes(SERVICES, { bytes: this.services.view(), width: 0, offsets: this.serviceOffsets }, count);
    table.write(into);
  }

  #grow(): void {
    const size = 2 * this.spanCount.length;
    const ids = new Uint8Array(16 * size);
    ids.set(this.ids);
    freeMemory(this.ids);
    this.ids = ids;
    this.firstRow = grownUnsigned(this.firstRow, 2 * size);
    this.start = grownUnsigned(this.start, 2 * size);
    this.end = grownUnsigned(this.end, 2 * size);
    this.serviceOffsets = grownUnsigned(this.serviceOffsets, size + 1);
    this.spanCount = grownInt(this.spanCount, size);
    this.errorCount = grownInt(this.errorCount, size);
    this.rootService = grownInt(this.rootService, size);
    this.rootName = grownInt(this.rootName, size);
  }
}

/** Distinct service names, numbered by the first resource of the block that has them. */
class ServiceNumbers {
  /** Number of a resource → number of its service. */
  numbers = new Int32Array(16);
  readonly names: ByteInterner;
  #resources = 0;

  constructor(seed: number) {
    this.names = new ByteInterner(seed);
  }

  get count(): number {
    return this.names.count;
  }

  /** Takes notice of resources that have come since. */
  learn(entries: readonly Uint8Array[]): void {
    if (entries.length > this.numbers.length) this.numbers = grownInt(this.numbers, 2 * entries.length);
    for (; this.#resources < entries.length; this.#resources++) {
      const name = serviceNameOf(entries[this.#resources] as Uint8Array);
      this.numbers[this.#resources] = this.names.code(name, 0, name.length);
    }
  }
}

function grownInt(array: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(size);
  grown.set(array);
  freeMemory(array);
  return grown;
}

function grownUnsigned(array: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(size);
  grown.set(array);
  freeMemory(array);
  return grown;
}

/** Replaces times by how long they are after others. */
function subtractTimes(times: Uint32Array, others: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const low = times[2 * i] as number;
    const otherLow = others[2 * i] as number;
    times[2 * i] = low - otherLow;
    times[2 * i + 1] = (times[2 * i + 1] as number) - (others[2 * i + 1] as number) - (low < otherLow ? 1 : 0);
  }
}

function numberUp(codes: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) codes[i] = i;
}

function distinctIntegers(values: Int32Array): { codes: Int32Array; values: Int32Array } {
  const known = new Map<number, number>();
  const codes = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    let code = known.get(value);
    if (code === undefined) {
      code = known.size;
      known.set(value, code);
    }
    codes[i] = code;
  }
  return { codes, values: Int32Array.from(known.keys()) };
}
