import type { AttributeColumn, ColumnSetView, EventTableView, SparseColumn } from '@vivace/columns';
import type { RowRange } from './plan-chunks.ts';

/**
 * A column set of some rows of another, with the traces that are among them. Takes time for these rows and not for the
 * others; dictionaries are shared with the other set.
 */
export function sliceRows(view: ColumnSetView, { from, to }: RowRange): ColumnSetView {
  const { trace, traceCount, traceIds } = sliceTraces(view, from, to);
  return {
    ...view,
    spanCount: to - from,
    traceCount,
    traceIds,
    trace,
    spanId: view.spanId.subarray(2 * from, 2 * to),
    parentId: view.parentId.subarray(2 * from, 2 * to),
    start: view.start.subarray(2 * from, 2 * to),
    end: view.end.subarray(2 * from, 2 * to),
    name: view.name.subarray(from, to),
    kind: view.kind.subarray(from, to),
    status: view.status.subarray(from, to),
    flags: view.flags.subarray(from, to),
    resource: view.resource.subarray(from, to),
    scope: view.scope.subarray(from, to),
    dead: view.dead.subarray(from, to),
    statusMessage: sliceSparse(view.statusMessage, from, to),
    traceState: sliceSparse(view.traceState, from, to),
    attributes: sliceAttributes(view.attributes, from, to),
    overflow: sliceSparse(view.overflow, from, to),
    events: sliceEvents(view.events, from, to),
  };
}

/** The traces of the rows, numbered by their first row. */
function sliceTraces(view: ColumnSetView, from: number, to: number) {
  const trace = new Int32Array(to - from);
  const numbers = new Map<number, number>();
  for (let row = from; row < to; row++) {
    const before = view.trace[row] as number;
    let number = numbers.get(before);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(before, number);
    }
    trace[row - from] = number;
  }
  const traceIds = new Uint8Array(16 * numbers.size);
  for (const [before, number] of numbers) {
    traceIds.set(view.traceIds.subarray(16 * before, 16 * before + 16), 16 * number);
  }
  return { trace, traceCount: numbers.size, traceIds };
}

function sliceEvents(events: EventTableView, from: number, to: number): EventTableView {
  const first = lowerBound(events.span, events.count, from);
  const end = lowerBound(events.span, events.count, to);
  const firstLink = lowerBound(events.linkRows, events.linkCount, first);
  const endLink = lowerBound(events.linkRows, events.linkCount, end);
  return {
    ...events,
    count: end - first,
    span: shifted(events.span, first, end, from),
    kind: events.kind.subarray(first, end),
    time: events.time.subarray(2 * first, 2 * end),
    name: events.name.subarray(first, end),
    linkCount: endLink - firstLink,
    linkRows: shifted(events.linkRows, firstLink, endLink, first),
    linkIds: events.linkIds.subarray(24 * firstLink, 24 * endLink),
    traceState: sliceSparse(events.traceState, first, end),
    attributes: sliceAttributes(events.attributes, first, end),
    overflow: sliceSparse(events.overflow, first, end),
  };
}

/** Without the columns that none of the rows has a value in. */
function sliceAttributes(columns: readonly AttributeColumn[], from: number, to: number): AttributeColumn[] {
  return columns
    .map((column) => ({ ...sliceSparse(column, from, to), key: column.key, type: column.type }))
    .filter(({ count }) => count > 0);
}

function sliceSparse(column: SparseColumn, from: number, to: number): SparseColumn {
  const first = lowerBound(column.rows, column.count, from);
  const end = lowerBound(column.rows, column.count, to);
  return {
    count: end - first,
    rows: shifted(column.rows, first, end, from),
    codes: column.codes.subarray(first, end),
    dictionary: column.dictionary,
  };
}

function shifted(values: Int32Array, first: number, end: number, by: number): Int32Array {
  const copy = values.slice(first, end);
  for (let i = 0; i < copy.length; i++) copy[i]! -= by;
  return copy;
}

/** The position of the first of `count` ascending values that is not below `least`. */
function lowerBound(values: Int32Array, count: number, least: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
