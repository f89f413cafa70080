import type { ColumnSetView, DictionaryView, SparseColumn } from '@vivace/columns';
import type { Batch, CodedColumn } from './batch.ts';

/**
 * The live rows of a head as a batch; no column is copied. Trace t is trace t of the column set: where all its rows are
 * dead it is there, without positions. Columns may have values of dead rows.
 *
 * @param id Other than that of any other view, older and newer ones of the same head included.
 * @param traceFirst First row of each trace, where rows lie as in a block: by trace, in canonical order, all alive.
 */
export function headBatch(id: string, view: ColumnSetView, traceFirst?: Int32Array): Batch {
  const { events } = view;
  const kept = new Map<string, unknown>();
  const once = <T>(key: string, make: () => T): T => {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key) as T;
  };
  const positions = (): Positions => once('positions', () => orderRows(view));
  const attributes = byKey(view.attributes);
  const eventAttributes = byKey(events.attributes);
  return {
    id,
    source: id,
    rows: view.spanCount,
    traceCount: view.traceCount,
    eventRows: events.count,
    bytesRead: 0,
    partials: undefined,
    prepare: async (_, signal) => signal.throwIfAborted(),
    traceFirst: () => traceFirst ?? positions().traceFirst,
    order: () => (traceFirst === undefined ? positions().order : undefined),
    traceIds: () => view.traceIds,
    start: () => view.start,
    end: () => view.end,
    duration: () => once('duration', () => durations(view)),
    spanIds: () => bytesOf(view.spanId),
    parentIds: () => bytesOf(view.parentId),
    kind: () => view.kind,
    status: () => view.status,
    name: () => dense(view.name, view.spanCount, view.names),
    statusMessage: () => sparse('string', view.statusMessage),
    resource: () => view.resource,
    scope: () => view.scope,
    resources: () => once('resources', () => entriesOf(view.resources)),
    scopes: () => once('scopes', () => entriesOf(view.scopes)),
    attributeKeys: [...attributes.keys()],
    attributes: (key) => attributes.get(key) ?? [],
    overflow: () => sparse('bytes', view.overflow),
    eventSpan: () => events.span,
    eventKind: () => events.kind,
    eventTime: () => events.time,
    eventName: () => dense(events.name, events.count, events.names),
    linkIds: () => once('linkIds', () => linkIds(view)),
    eventAttributeKeys: [...eventAttributes.keys()],
    eventAttributes: (key) => eventAttributes.get(key) ?? [],
    eventOverflow: () => sparse('bytes', events.overflow),
  };
}

function durations({ start, end, spanCount }: ColumnSetView): Uint32Array {
  const durations = new Uint32Array(2 * spanCount);
  for (let at = 0; at < 2 * spanCount; at += 2) {
    const low = (end[at] as number) - (start[at] as number);
    const high = (end[at + 1] as number) - (start[at + 1] as number) - (low < 0 ? 1 : 0);
    if (high < 0) continue;
    durations[at] = low;
    durations[at + 1] = high;
  }
  return durations;
}

interface Positions {
  order: Int32Array;
  traceFirst: Int32Array;
}

/** Live rows by trace, in canonical order within each. */
function orderRows(view: ColumnSetView): Positions {
  const { spanCount, traceCount, trace, dead } = view;
  const traceFirst = new Int32Array(traceCount + 1);
  // What is dead may change while this runs, where the head is still being filled: it is looked at once.
  const ranked = new Int32Array(spanCount);
  for (let row = 0; row < spanCount; row++) {
    const of = dead[row] === 1 ? -1 : (trace[row] as number);
    ranked[row] = of;
    if (of >= 0) traceFirst[of + 1] = (traceFirst[of + 1] as number) + 1;
  }
  for (let t = 0; t < traceCount; t++) traceFirst[t + 1] = (traceFirst[t + 1] as number) + (traceFirst[t] as number);
  const order = new Int32Array(traceFirst[traceCount] as number);
  const next = traceFirst.slice(0, traceCount);
  for (let row = 0; row < spanCount; row++) {
    const of = ranked[row] as number;
    if (of < 0) continue;
    const at = next[of] as number;
    order[at] = row;
    next[of] = at + 1;
  }
  for (let t = 0; t < traceCount; t++) sortRows(view, order, traceFirst[t] as number, traceFirst[t + 1] as number);
  return { order, traceFirst };
}

/** Traces of more spans are not sorted by insertion. */
const FEW_ROWS = 32;

function sortRows(view: ColumnSetView, order: Int32Array, from: number, to: number): void {
  if (to - from > FEW_ROWS) {
    order.subarray(from, to).sort((a, b) => compareRows(view, a, b));
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const row = order[i] as number;
    let at = i;
    for (; at > from && compareRows(view, order[at - 1] as number, row) > 0; at--) order[at] = order[at - 1] as number;
    order[at] = row;
  }
}

/** Start, span id byte by byte, kind. */
function compareRows({ start, spanId, kind }: ColumnSetView, a: number, b: number): number {
  return (
    (start[2 * a + 1] as number) - (start[2 * b + 1] as number) ||
    (start[2 * a] as number) - (start[2 * b] as number) ||
    inWireOrder(spanId[2 * a] as number) - inWireOrder(spanId[2 * b] as number) ||
    inWireOrder(spanId[2 * a + 1] as number) - inWireOrder(spanId[2 * b + 1] as number) ||
    (kind[a] as number) - (kind[b] as number)
  );
}

/** Four bytes read little-endian, as the unsigned number that orders them byte by byte. */
function inWireOrder(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

function byKey(columns: ColumnSetView['attributes']): Map<string, CodedColumn[]> {
  const found = new Map<string, CodedColumn[]>();
  for (const column of columns) {
    if (column.count === 0) continue;
    const same = found.get(column.key);
    if (same === undefined) found.set(column.key, [sparse(column.type, column)]);
    else same.push(sparse(column.type, column));
  }
  return found;
}

function sparse(type: CodedColumn['type'], { rows, codes, count, dictionary }: SparseColumn): CodedColumn {
  return { type, rows, codes, count, dictionary };
}

function dense(codes: Int32Array, count: number, dictionary: DictionaryView): CodedColumn {
  return { type: 'string', rows: undefined, codes, count, dictionary };
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function entriesOf({ count, bytes, offsets }: DictionaryView): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes.subarray(offsets[i], offsets[i + 1]));
}

/** Of links with ids, at their event rows. */
function linkIds({ events: { count, linkCount, linkRows, linkIds: ids } }: ColumnSetView): Uint8Array {
  const all = new Uint8Array(24 * count);
  for (let link = 0; link < linkCount; link++) {
    const from = 24 * link;
    const at = 24 * (linkRows[link] as number);
    for (let k = 0; k < 24; k++) all[at + k] = ids[from + k] as number;
  }
  return all;
}
