import type { AttributeColumn, ColumnSetView, DictionaryView, SparseColumn } from '@vivace/columns';
import { expectThat } from './fuzz-target.ts';

/** Throws where a column set is not what its type says: whoever reads it trusts its numbers. */
export function expectWellFormed(set: ColumnSetView): void {
  const { spanCount: rows, events } = set;
  const columns = { trace: set.trace, name: set.name, resource: set.resource, scope: set.scope, kind: set.kind };
  for (const [name, column] of Object.entries(columns)) expectThat(column.length >= rows, `${name} is too short`);
  for (const column of [set.spanId, set.parentId, set.start, set.end]) {
    expectThat(column.length >= 2 * rows, 'a column of 64 bits is too short');
  }
  expectThat(set.traceIds.length >= 16 * set.traceCount, 'trace ids are missing');
  expectCodes(set.trace, rows, set.traceCount, 0, 'trace');
  expectDictionary(set.names, 'names');
  expectDictionary(set.resources, 'resources');
  expectDictionary(set.scopes, 'scopes');
  expectCodes(set.name, rows, set.names.count, 0, 'name');
  expectCodes(set.resource, rows, set.resources.count, 0, 'resource');
  expectCodes(set.scope, rows, set.scopes.count, 0, 'scope');
  expectSparse(set.statusMessage, rows, 'statusMessage');
  expectSparse(set.traceState, rows, 'traceState');
  expectSparse(set.overflow, rows, 'overflow');
  for (const column of set.attributes) expectAttribute(column, rows);
  expectAscending(events.span, events.count, rows, false, 'span of an event');
  expectDictionary(events.names, 'names of events');
  expectCodes(events.name, events.count, events.names.count, -1, 'name of an event');
  expectThat(events.kind.length >= events.count && events.time.length >= 2 * events.count, 'events are missing');
  for (let row = 0; row < events.count; row++) {
    expectThat(events.kind[row] === 1 || (events.name[row] as number) >= 0, 'an event has no name');
  }
  expectThat(events.linkIds.length >= 24 * events.linkCount, 'ids of links are missing');
  expectAscending(events.linkRows, events.linkCount, events.count, true, 'row of a link');
  expectSparse(events.traceState, events.count, 'traceState of links');
  expectSparse(events.overflow, events.count, 'overflow of events');
  for (const column of events.attributes) expectAttribute(column, events.count);
}

function expectDictionary({ count, bytes, offsets }: DictionaryView, name: string): void {
  expectThat(offsets.length > count && (count === 0 || offsets[0] === 0), `the offsets of ${name} are too few`);
  for (let i = 0; i < count; i++) {
    expectThat((offsets[i] as number) <= (offsets[i + 1] as number), `the offsets of ${name} do not ascend`);
  }
  expectThat(count === 0 || (offsets[count] as number) <= bytes.length, `${name} end beyond their bytes`);
}

function expectCodes(codes: Int32Array, rows: number, count: number, least: number, name: string): void {
  for (let row = 0; row < rows; row++) {
    const code = codes[row] as number;
    expectThat(code >= least && code < count, `row ${row} has code ${code} of ${count}: ${name}`);
  }
}

function expectAscending(rows: Int32Array, count: number, end: number, strictly: boolean, name: string): void {
  let last = strictly ? -1 : 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i] as number;
    expectThat(row >= (strictly ? last + 1 : last) && row < end, `rows do not ascend: ${name}`);
    last = row;
  }
}

function expectSparse(column: SparseColumn, rows: number, name: string): void {
  expectAscending(column.rows, column.count, rows, true, name);
  expectCodes(column.codes, column.count, column.dictionary.count, 0, name);
  expectDictionary(column.dictionary, name);
}

const VALUE_BYTES = { string: undefined, int: 8, double: 8, bool: 1 };

function expectAttribute(column: AttributeColumn, rows: number): void {
  expectSparse(column, rows, column.key);
  const width = VALUE_BYTES[column.type];
  if (width === undefined) return;
  const { count, offsets } = column.dictionary;
  for (let i = 0; i < count; i++) {
    const length = (offsets[i + 1] as number) - (offsets[i] as number);
    expectThat(length === width, `a value of type ${column.type} has ${length} bytes`);
  }
}
