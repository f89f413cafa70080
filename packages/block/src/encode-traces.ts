import type { BlockShape } from './block-shape.ts';
import { ByteWriter } from './byte-writer.ts';
import { TRACE_COLUMNS } from './layout.ts';
import type { EncodedTable } from './parquet/table-writer.ts';
import { type EncoderScratch, intValues, TableEncoder, valuesOf } from './table-encoder.ts';

// Hot path: one pass over all spans. Benchmark: `encode-block.bench.ts`.

const STATUS_ERROR = 2;

/**
 * The table of traces. A trace of the block may be part of a larger one; its facts here are of the spans in the
 * block.
 *
 * @param resourceCodes Code in the column set → resource of the block.
 * @param serviceNames By resource of the block; empty where it has none.
 */
export function encodeTraces(
  shape: BlockShape,
  resourceCodes: Int32Array,
  serviceNames: readonly Uint8Array[],
  scratch: EncoderScratch,
  { pageRows }: { pageRows: number },
): EncodedTable {
  const { set, order, traceFirst, traceCount } = shape;
  const services = numberServices(serviceNames);
  const counts = new Int32Array(services.count);
  const errors = new Int32Array(services.count);
  const touched = new Int32Array(services.count);
  const errorCount = new Int32Array(traceCount);
  const spanCount = new Int32Array(traceCount);
  const firstRow = new Uint32Array(2 * traceCount);
  const start = new Uint32Array(2 * traceCount);
  const duration = new Uint32Array(2 * traceCount);
  const rootService = new Int32Array(traceCount).fill(-1);
  const rootName = new Int32Array(traceCount).fill(-1);
  const blobs = new ByteWriter(16 * traceCount + 64);
  const blobOffsets = new Uint32Array(traceCount + 1);
  for (let trace = 0; trace < traceCount; trace++) {
    const from = traceFirst[trace] as number;
    const to = traceFirst[trace + 1] as number;
    spanCount[trace] = to - from;
    firstRow[2 * trace] = from;
    const first = order[from] as number;
    const startLow = set.start[2 * first] as number;
    const startHigh = set.start[2 * first + 1] as number;
    let endLow = startLow;
    let endHigh = startHigh;
    let failed = 0;
    let touchedCount = 0;
    let root = -1;
    for (let i = from; i < to; i++) {
      const row = order[i] as number;
      const low = set.end[2 * row] as number;
      const high = set.end[2 * row + 1] as number;
      if (high > endHigh || (high === endHigh && low > endLow)) {
        endLow = low;
        endHigh = high;
      }
      const service = services.numbers[resourceCodes[set.resource[row] as number] as number] as number;
      if (counts[service] === 0) touched[touchedCount++] = service;
      counts[service] = (counts[service] as number) + 1;
      if (set.status[row] === STATUS_ERROR) {
        errors[service] = (errors[service] as number) + 1;
        failed++;
      }
      if (root < 0 && set.parentId[2 * row] === 0 && set.parentId[2 * row + 1] === 0) root = row;
    }
    errorCount[trace] = failed;
    start[2 * trace] = startLow;
    start[2 * trace + 1] = startHigh;
    duration[2 * trace] = endLow - startLow;
    duration[2 * trace + 1] = endHigh - startHigh - (endLow < startLow ? 1 : 0);
    if (root >= 0) {
      rootService[trace] = resourceCodes[set.resource[root] as number] as number;
      rootName[trace] = set.name[root] as number;
    }
    for (let i = 0; i < touchedCount; i++) {
      const service = touched[i] as number;
      const failures = errors[service] as number;
      blobs.varint(service);
      blobs.varint((counts[service] as number) * 2 + (failures > 0 ? 1 : 0));
      if (failures > 0) blobs.varint(failures);
      counts[service] = 0;
      errors[service] = 0;
    }
    blobOffsets[trace + 1] = blobs.length;
  }

  if (scratch.codes.length < traceCount) scratch.codes = new Int32Array(traceCount);
  const { codes, writer } = scratch;
  const groups = traceCount === 0 ? Int32Array.of(0) : groupsOf(traceCount);
  const table = new TableEncoder({ rows: traceCount, position: codes, groups }, scratch, pageRows);
  const [TRACE_ID, FIRST_ROW, SPAN_COUNT, ERROR_COUNT, START, DURATION, ROOT_SERVICE, ROOT_NAME, SERVICES] =
    TRACE_COLUMNS;
  const numbered = (values: Int32Array): void => {
    for (let trace = 0; trace < traceCount; trace++) codes[trace] = values[trace] as number;
  };
  const ids = new Uint8Array(16 * traceCount);
  for (let trace = 0; trace < traceCount; trace++) {
    const code = set.trace[order[traceFirst[trace] as number] as number] as number;
    ids.set(set.traceIds.subarray(16 * code, 16 * code + 16), 16 * trace);
  }
  table.column(TRACE_ID, (from, to) => writer.fixed(TRACE_ID, ids, from, to, { pageRows, compressible: false }));
  table.column(FIRST_ROW, (from, to) => writer.halves(FIRST_ROW, firstRow, from, to, { pageRows, ascending: true }));
  for (const [schema, values] of [
    [SPAN_COUNT, spanCount],
    [ERROR_COUNT, errorCount],
  ] as const) {
    const distinct = distinctIntegers(values);
    numbered(distinct.codes);
    table.codes(schema, intValues(distinct.values), distinct.values.length);
  }
  table.column(START, (from, to) => writer.halves(START, start, from, to, { pageRows, ascending: false }));
  table.column(DURATION, (from, to) => writer.halves(DURATION, duration, from, to, { pageRows, ascending: false }));
  for (let trace = 0; trace < traceCount; trace++) {
    const resource = rootService[trace] as number;
    codes[trace] = resource < 0 ? -1 : (services.numbers[resource] as number);
  }
  table.codes(ROOT_SERVICE, valuesOf(services.names, ROOT_SERVICE), services.names.count);
  numbered(rootName);
  table.codes(ROOT_NAME, valuesOf(set.names, ROOT_NAME), set.names.count);
  for (let trace = 0; trace < traceCount; trace++) codes[trace] = trace;
  table.codes(SERVICES, { bytes: blobs.view(), width: 0, offsets: blobOffsets }, traceCount);
  return table.finish();
}

/** Row groups of the traces table. */
const TRACES_GROUP_ROWS = 131_072;

function groupsOf(traces: number): Int32Array {
  const groups: number[] = [];
  for (let first = 0; first < traces; first += TRACES_GROUP_ROWS) groups.push(first);
  return Int32Array.from([...groups, traces]);
}

/** Distinct service names, numbered by the first resource of the block that has them. */
function numberServices(serviceNames: readonly Uint8Array[]) {
  const numbers = new Int32Array(serviceNames.length);
  const known = new Map<string, number>();
  const distinct: Uint8Array[] = [];
  for (const [resource, name] of serviceNames.entries()) {
    const id = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let number = known.get(id);
    if (number === undefined) {
      number = distinct.length;
      known.set(id, number);
      distinct.push(name);
    }
    numbers[resource] = number;
  }
  const offsets = new Uint32Array(distinct.length + 1);
  for (const [i, name] of distinct.entries()) offsets[i + 1] = (offsets[i] as number) + name.length;
  return {
    count: distinct.length,
    numbers,
    names: { count: distinct.length, bytes: Buffer.concat(distinct), offsets },
  };
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
