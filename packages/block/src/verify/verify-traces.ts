import type { ColumnSetView } from '@vivace/columns';
import { bytesToHex, equalBytes } from '@vivace/kernel';
import { ByteWriter } from '../byte-writer.ts';
import type { TRACE_COLUMNS } from '../layout.ts';
import type { DecodedColumn } from '../parquet/chunk-reader.ts';
import { integerAt } from '../parquet/whole-chunk.ts';
import type { Findings } from './findings.ts';

const STATUS_ERROR = 2;

/** What a row of the table of traces should say, worked out from the spans. */
interface TraceFacts {
  id: Uint8Array;
  firstRow: number;
  spans: number;
  errors: number;
  start: bigint;
  duration: bigint;
  rootService: Uint8Array | undefined;
  rootName: Uint8Array | undefined;
  services: Uint8Array;
}

/** The services of a block: numbered by the first resource that has their name. */
export interface Services {
  /** By resource. */
  numbers: readonly number[];
  /** By number. */
  names: readonly Uint8Array[];
}

/** The rows that the table of traces should have for the traces of a run; `resources` has the resource of each row. */
export function* traceFacts(
  set: ColumnSetView,
  firstRow: number,
  resources: Int32Array,
  services: Services,
): Generator<TraceFacts> {
  for (let from = 0; from < set.spanCount; ) {
    let to = from;
    while (to < set.spanCount && set.trace[to] === set.trace[from]) to++;
    const start = timeAt(set.start, from);
    let end = start;
    let errors = 0;
    let root = -1;
    const byService = new Map<number, { spans: number; failed: number }>();
    for (let row = from; row < to; row++) {
      const own = timeAt(set.end, row);
      if (own > end) end = own;
      const failed = set.status[row] === STATUS_ERROR ? 1 : 0;
      errors += failed;
      const number = services.numbers[resources[row] as number] as number;
      const counts = byService.get(number) ?? { spans: 0, failed: 0 };
      byService.set(number, { spans: counts.spans + 1, failed: counts.failed + failed });
      if (root < 0 && set.parentId[2 * row] === 0 && set.parentId[2 * row + 1] === 0) root = row;
    }
    const blob = new ByteWriter(16);
    for (const [number, { spans, failed }] of byService) {
      blob.varint(number);
      blob.varint(spans * 2 + (failed > 0 ? 1 : 0));
      if (failed > 0) blob.varint(failed);
    }
    const code = set.trace[from] as number;
    const nameCode = set.name[root] as number;
    yield {
      id: set.traceIds.subarray(16 * code, 16 * code + 16),
      firstRow: firstRow + from,
      spans: to - from,
      errors,
      start,
      duration: end - start,
      rootService: root < 0 ? undefined : services.names[services.numbers[resources[root] as number] as number],
      rootName:
        root < 0 ? undefined : set.names.bytes.subarray(set.names.offsets[nameCode], set.names.offsets[nameCode + 1]),
      services: blob.take(),
    };
    from = to;
  }
}

type TraceColumn = (typeof TRACE_COLUMNS)[number]['name'];

/** The columns of a row group of the table of traces. */
export type TraceTableColumns = ReadonlyMap<string, DecodedColumn>;

/** Compares one row. */
export function verifyTrace(
  facts: TraceFacts,
  columns: TraceTableColumns,
  row: number,
  rowGroup: number,
  findings: Findings,
): void {
  const value = (name: TraceColumn): Uint8Array | undefined => valueAt(columns.get(name) as DecodedColumn, row);
  const integer = (name: TraceColumn): number => {
    const { codes, entries } = columns.get(name) as DecodedColumn;
    return integerAt(entries, codes[row] as number);
  };
  const time = (name: TraceColumn): bigint => Buffer.from(value(name) as Uint8Array).readBigUInt64LE();
  const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
    a === undefined || b === undefined ? a === b : equalBytes(a, b);
  const right: Record<TraceColumn, boolean> = {
    trace_id: same(value('trace_id'), facts.id),
    first_row: integer('first_row') === facts.firstRow,
    span_count: integer('span_count') === facts.spans,
    error_count: integer('error_count') === facts.errors,
    start: time('start') === facts.start,
    duration: time('duration') === facts.duration,
    root_service: same(value('root_service'), facts.rootService),
    root_name: same(value('root_name'), facts.rootName),
    services: same(value('services'), facts.services),
  };
  for (const [column, isRight] of Object.entries(right)) {
    if (isRight) continue;
    const what = `row ${row} is not what the spans of trace ${bytesToHex(facts.id)} say`;
    findings.add({ section: 'traces', rowGroup, column, what });
  }
}

/** The bytes of a value; undefined where there is none. */
export function valueAt({ codes, entries }: DecodedColumn, row: number): Uint8Array | undefined {
  const code = codes[row] as number;
  if (code < 0) return undefined;
  const { bytes, width, offsets } = entries;
  return width > 0
    ? bytes.subarray(code * width, code * width + width)
    : bytes.subarray(offsets?.[code], offsets?.[code + 1]);
}

function timeAt(halves: Uint32Array, row: number): bigint {
  return (BigInt(halves[2 * row + 1] as number) << 32n) | BigInt(halves[2 * row] as number);
}
