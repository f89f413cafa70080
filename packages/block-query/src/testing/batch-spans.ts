import { type PlainSpan, plainSpans } from '@vivace/block/testing';
import type { AttributeColumn, AttributeType, ColumnSetView, DictionaryView, SparseColumn } from '@vivace/columns';
import { concatBytes } from '@vivace/kernel';
import type { Batch, CodedColumn, Needs } from '../batch.ts';

/** Every column that a batch can have. */
export function allNeeds(keys: Iterable<string>, eventKeys: Iterable<string>): Needs {
  return {
    fields: new Set([
      'start',
      'end',
      'spanIds',
      'parentIds',
      'kind',
      'status',
      'name',
      'statusMessage',
      'resource',
      'scope',
      'traceIds',
      'overflow',
    ]),
    keys: new Set(keys),
    eventFields: new Set(['eventKind', 'eventTime', 'eventName', 'linkIds', 'eventOverflow']),
    eventKeys: new Set(eventKeys),
  };
}

/** What batches hold, which `allNeeds` was prepared of, ordered by trace id; flags and trace states are left out. */
export function batchSpans(batches: readonly Batch[], needs: Needs): PlainSpan[] {
  const traces = batches.flatMap((batch) => {
    const { view, rows } = viewOf(batch, needs);
    const spans = plainSpans(view, rows);
    const first = batch.traceFirst();
    return Array.from({ length: batch.traceCount }, (_, t) => spans.slice(first[t], first[t + 1]));
  });
  const named = traces.flatMap((spans) => (spans[0] === undefined ? [] : [{ id: spans[0].traceId, spans }]));
  named.sort((a, b) => (a.id < b.id ? -1 : 1));
  return named.flatMap(({ spans }) => spans);
}

/** A batch as a column set, and its rows by position. */
function viewOf(batch: Batch, { keys, eventKeys }: Needs): { view: ColumnSetView; rows: number[] } {
  const { rows: spanCount, traceCount, eventRows } = batch;
  const first = batch.traceFirst();
  const order = batch.order();
  const trace = new Int32Array(spanCount).fill(-1);
  const rows: number[] = [];
  for (let t = 0; t < traceCount; t++) {
    for (let position = first[t] as number; position < (first[t + 1] as number); position++) {
      const row = order === undefined ? position : (order[position] as number);
      trace[row] = t;
      rows.push(row);
    }
  }
  const name = batch.name();
  const eventName = dense(batch.eventName(), eventRows);
  const linkIds = batch.linkIds();
  const linkRows: number[] = [];
  for (let row = 0; row < eventRows; row++) {
    if (linkIds.subarray(24 * row, 24 * row + 24).some((byte) => byte !== 0)) linkRows.push(row);
  }
  const view: ColumnSetView = {
    spanCount,
    traceCount,
    traceIds: batch.traceIds(),
    trace,
    spanId: words(batch.spanIds()),
    parentId: words(batch.parentIds()),
    start: batch.start(),
    end: batch.end(),
    name: dense(name, spanCount),
    kind: batch.kind(),
    status: batch.status(),
    flags: new Uint32Array(spanCount),
    resource: batch.resource(),
    scope: batch.scope(),
    dead: new Uint8Array(spanCount),
    names: name.dictionary,
    resources: dictionaryOf(batch.resources()),
    scopes: dictionaryOf(batch.scopes()),
    statusMessage: sparse(batch.statusMessage()),
    traceState: NO_VALUES,
    attributes: attributes(keys, (key) => batch.attributes(key)),
    overflow: sparse(batch.overflow()),
    events: {
      count: eventRows,
      span: batch.eventSpan(),
      kind: batch.eventKind(),
      time: batch.eventTime(),
      name: eventName,
      names: batch.eventName().dictionary,
      linkCount: linkRows.length,
      linkRows: Int32Array.from(linkRows),
      linkIds: concatBytes(linkRows.map((row) => linkIds.subarray(24 * row, 24 * row + 24))),
      traceState: NO_VALUES,
      attributes: attributes(eventKeys, (key) => batch.eventAttributes(key)),
      overflow: sparse(batch.eventOverflow()),
    },
  };
  return { view, rows };
}

const NO_VALUES: SparseColumn = {
  count: 0,
  rows: new Int32Array(0),
  codes: new Int32Array(0),
  dictionary: { count: 0, bytes: new Uint8Array(0), offsets: new Uint32Array(1) },
};

function words(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.slice().buffer);
}

function dictionaryOf(entries: readonly Uint8Array[]): DictionaryView {
  const offsets = [0];
  for (const entry of entries) offsets.push((offsets.at(-1) as number) + entry.length);
  return { count: entries.length, bytes: concatBytes([...entries]), offsets: Uint32Array.from(offsets) };
}

function attributes(keys: Iterable<string>, of: (key: string) => CodedColumn[]): AttributeColumn[] {
  return [...keys].flatMap((key) =>
    of(key).map((column) => ({ key, type: column.type as AttributeType, ...sparse(column) })),
  );
}

function dense({ rows, codes, count }: CodedColumn, length: number): Int32Array {
  if (rows === undefined) return codes;
  const all = new Int32Array(length).fill(-1);
  for (let i = 0; i < count; i++) all[rows[i] as number] = codes[i] as number;
  return all;
}

function sparse({ rows, codes, count, dictionary }: CodedColumn): SparseColumn {
  if (rows !== undefined) return { rows, codes, count, dictionary };
  const named: number[] = [];
  const kept: number[] = [];
  for (let row = 0; row < count; row++) {
    if ((codes[row] as number) < 0) continue;
    named.push(row);
    kept.push(codes[row] as number);
  }
  return { rows: Int32Array.from(named), codes: Int32Array.from(kept), count: named.length, dictionary };
}
