import type { ColumnSetView } from '@vivace/columns';
import { bytesToHex, compareBytes } from '@vivace/kernel';
import type { BlockIndex, TableGroup, TraceGroup } from '../block-index.ts';
import { ByteReader } from '../byte-reader.ts';
import { EVENT_STEP } from '../layout.ts';
import type { DecodedColumn } from '../parquet/chunk-reader.ts';
import { integerAt } from '../parquet/whole-chunk.ts';
import type { GroupRun } from '../scan/group-run.ts';
import { decodeTraceList } from '../trace-list.ts';
import type { Findings } from './findings.ts';

/** Spans of a run of row groups, which hold whole traces. */
export interface RunRows {
  run: GroupRun;
  set: ColumnSetView;
  /** The columns `parent` and `parent_id`, one a row group. */
  parents: readonly { delta: DecodedColumn; id: DecodedColumn }[];
}

/** Whether rows lie in the order that every reader counts on: by trace, start, span id, kind. */
export function verifyOrder(
  index: BlockIndex,
  { run, set }: RunRows,
  lastTraceId: Uint8Array | undefined,
  findings: Findings,
): void {
  const { rows: wanted } = rowsBefore(index, run);
  if (set.spanCount !== wanted) return;
  const ids = new Uint8Array(set.spanId.buffer, set.spanId.byteOffset, set.spanId.byteLength);
  let before = lastTraceId;
  for (let row = 0; row < set.spanCount; row++) {
    const trace = set.trace[row] as number;
    if (row === 0 || trace !== set.trace[row - 1]) {
      const id = set.traceIds.subarray(16 * trace, 16 * trace + 16);
      if (before !== undefined && compareBytes(before, id) >= 0) {
        return tell(row, `trace ${bytesToHex(id)} comes after ${bytesToHex(before)}`);
      }
      before = id;
      continue;
    }
    const order =
      compareHalves(set.start, row - 1, row) ||
      compareBytes(ids.subarray(8 * row - 8, 8 * row), ids.subarray(8 * row, 8 * row + 8)) ||
      (set.kind[row - 1] as number) - (set.kind[row] as number);
    if (order > 0) return tell(row, 'a span comes before one that it should follow');
  }

  function tell(row: number, what: string): void {
    const { group, at } = placeOf(index, run, row);
    findings.add({ section: 'spans', rowGroup: group, what: `rows are out of order at row ${at}: ${what}` });
  }
}

/** Whether each parent is the first span of its trace with that id, and ids stand only where there is none. */
export function verifyParents(index: BlockIndex, { run, set, parents }: RunRows, findings: Findings): void {
  const ids = new BigUint64Array(set.spanId.buffer, set.spanId.byteOffset, set.spanCount);
  const first = new Map<bigint, number>();
  let row = 0;
  let filledTo = 0;
  for (const { delta, id } of parents) {
    for (let i = 0; i < delta.codes.length; i++, row++) {
      if (row === filledTo) filledTo = fillTrace(row);
      const code = delta.codes[i] as number;
      const hasId = (id.codes[i] as number) >= 0;
      if (code >= 0) {
        const parent = row + integerAt(delta.entries, code);
        const inTrace = parent >= 0 && parent < set.spanCount && set.trace[parent] === set.trace[row];
        if (!inTrace) return tell(row, 'lies outside of its trace');
        if (first.get(ids[parent] as bigint) !== parent) return tell(row, 'is not the first span with its id');
        if (hasId) return tell(row, 'is there twice, as a row and as an id');
      } else if (hasId && first.has(idAt(id, i))) return tell(row, 'is given by its id although it is in the block');
    }
  }

  function fillTrace(from: number): number {
    first.clear();
    let at = from;
    for (; at < set.spanCount && set.trace[at] === set.trace[from]; at++) {
      const own = ids[at] as bigint;
      if (!first.has(own)) first.set(own, at);
    }
    return at;
  }

  function tell(at: number, what: string): void {
    const place = placeOf(index, run, at);
    const what_ = `the parent of row ${place.at} ${what}`;
    findings.add({ section: 'spans', rowGroup: place.group, column: 'parent', what: what_ });
  }
}

function idAt({ entries, codes }: DecodedColumn, row: number): bigint {
  const { bytes } = entries;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(8 * (codes[row] as number), true);
}

/** Whether the index lists the traces that the row groups have, with their numbers of spans. */
export function verifyTraceLists(
  index: BlockIndex,
  { run, set }: RunRows,
  firstTrace: number,
  list: (group: number) => Uint8Array,
  findings: Findings,
): void {
  let row = 0;
  let trace = firstTrace;
  for (let group = run.first; group < run.end; group++) {
    const { rows } = index.spans.groups[group] as TableGroup;
    const facts = index.traceGroups[group] as TraceGroup;
    const where = { section: 'index', rowGroup: group, offset: facts.list.offset } as const;
    const decoded = findings.check(where, () => decodeTraceList(list(group), facts));
    const end = row + rows;
    const found: { id: Uint8Array; spans: number }[] = [];
    for (; row < end; row++) {
      const code = set.trace[row] as number;
      if (found.length > 0 && set.trace[row - 1] === code) (found.at(-1) as { spans: number }).spans++;
      else found.push({ id: set.traceIds.subarray(16 * code, 16 * code + 16), spans: 1 });
    }
    if (decoded === undefined) continue;
    const [first] = found;
    if (first !== undefined && compareBytes(first.id, facts.firstTraceId) !== 0) {
      findings.add({ ...where, what: 'the row group does not begin with the trace that the index names' });
    }
    if (facts.firstTrace !== trace) {
      findings.add({ ...where, what: `the first trace is number ${trace}, and the index says ${facts.firstTrace}` });
    }
    const counts = new ByteReader(decoded.counts);
    const padded = found.filter(({ id }) => id.subarray(0, 8).every((byte) => byte === 0)).length;
    const listed = findings.check(
      where,
      () =>
        decoded.count === found.length &&
        decoded.padded === padded &&
        found.every(({ id, spans }, i) => {
          const part = i < padded ? id.subarray(8) : id.subarray(0, 8);
          return compareBytes(decoded.ids.subarray(8 * i, 8 * i + 8), part) === 0 && counts.varint() === spans;
        }),
    );
    if (listed === false) findings.add({ ...where, what: 'the trace list is not of the traces of the row group' });
    // The groups of one trace all name that trace.
    if (run.end - run.first === 1) trace += found.length;
  }
}

/** Whether the events of the run are all there, and where the index says. */
export function verifyEventSteps(index: BlockIndex, { run, set }: RunRows, findings: Findings): void {
  let event = 0;
  let firstSpan = 0;
  let wanted = 0;
  for (let group = run.first; group < run.end; group++) {
    const spans = index.spans.groups[group] as TableGroup;
    const events = index.events.groups[group] as TableGroup;
    wanted += events.rows;
    const start = index.stepStart[group] as number;
    for (let step = 0; step * EVENT_STEP < spans.rows; step++) {
      while (event < set.events.count && (set.events.span[event] as number) < firstSpan + step * EVENT_STEP) event++;
      const first = eventsBefore(index, run) + event;
      if (index.eventSteps[start + step] !== first) {
        findings.add({
          section: 'index',
          rowGroup: group,
          what: `the index names wrong event rows, at row ${step * EVENT_STEP}`,
        });
        return;
      }
    }
    firstSpan += spans.rows;
  }
  if (set.events.count !== wanted) {
    const what = `${wanted - set.events.count} events belong to no span of their row group`;
    findings.add({ section: 'events', rowGroup: run.first, column: 'span_row', what });
  }
}

function eventsBefore(index: BlockIndex, run: GroupRun): number {
  return (index.events.groups[run.first] as TableGroup).firstRow;
}

function rowsBefore(index: BlockIndex, run: GroupRun): { rows: number } {
  let rows = 0;
  for (let group = run.first; group < run.end; group++) rows += (index.spans.groups[group] as TableGroup).rows;
  return { rows };
}

/** The row group of a row of the run, and its number there. */
function placeOf(index: BlockIndex, run: GroupRun, row: number): { group: number; at: number } {
  let at = row;
  for (let group = run.first; group < run.end; group++) {
    const { rows } = index.spans.groups[group] as TableGroup;
    if (at < rows) return { group, at };
    at -= rows;
  }
  return { group: run.end - 1, at };
}

function compareHalves(halves: Uint32Array, a: number, b: number): number {
  const high = (halves[2 * a + 1] as number) - (halves[2 * b + 1] as number);
  return high === 0 ? (halves[2 * a] as number) - (halves[2 * b] as number) : high;
}
