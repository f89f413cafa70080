import type { AttributeColumn, DictionaryView, SparseColumn } from '@vivace/columns';
import { equalBytes, utf8Decode, utf8Encode } from '@vivace/kernel';
import type { TableAttribute } from '../attribute-plan.ts';
import { ByteInterner } from '../byte-interner.ts';
import { ByteWriter } from '../byte-writer.ts';
import { BYTES, FieldWalker } from '../fields.ts';
import { scanKeyValue, writeKeyValue } from '../key-value.ts';
import { columnSetOf, type RowSet, rowSetOf } from '../row-set.ts';
import { columnId } from './input-block.ts';

// A key that has a column in the output may lie in the overflow of an input: it had none there.

const ATTRIBUTE_TAG = 0x4a;
const EVENT_ATTRIBUTE_TAG = 0x1a;
const LINK_ATTRIBUTE_TAG = 0x22;

/** The rows with what has a column in it: see `promoteAttributes`. */
export function promoteColumns(
  set: RowSet,
  columns: { spans: readonly TableAttribute[]; events: readonly TableAttribute[] },
  seed: number,
): RowSet {
  const { events } = set;
  const ofSpans = columns.spans.length > 0 && set.overflow.count > 0;
  const ofEvents = columns.events.length > 0 && events.overflow.count > 0;
  if (!ofSpans && !ofEvents) return set;
  const made = columnSetOf(set);
  const tagOf = (row: number): number => (events.kind[row] === 1 ? LINK_ATTRIBUTE_TAG : EVENT_ATTRIBUTE_TAG);
  return rowSetOf({
    ...made,
    ...promoteAttributes(made, columns.spans, () => ATTRIBUTE_TAG, set.spanCount, seed),
    events: { ...made.events, ...promoteAttributes(made.events, columns.events, tagOf, events.count, seed) },
  });
}

/** A value that leaves an overflow fragment for a column. */
interface Promotion {
  id: string;
  key: string;
  value: Uint8Array;
}

interface PromotedFragment {
  values: Promotion[];
  /** What stays. */
  rest: Uint8Array;
}

/** Attribute columns of a table and its overflow. */
interface OwnedColumns {
  attributes: AttributeColumn[];
  overflow: SparseColumn;
}

/**
 * Moves attributes out of the overflow to the columns given. Only what comes back the same: written as a column's value
 * would be, once in its span, and of a key that the span has no other value of.
 *
 * @param tagOf Tag of the attribute field of a row.
 */
function promoteAttributes(
  { attributes, overflow }: OwnedColumns,
  columns: readonly TableAttribute[],
  tagOf: (row: number) => number,
  rows: number,
  seed: number,
): OwnedColumns {
  if (columns.length === 0 || overflow.count === 0) return { attributes, overflow };
  const wanted = new Map(columns.map((column) => [columnId(column), column]));
  const { bytes, offsets } = overflow.dictionary;
  const scanned = new Map<string, PromotedFragment | undefined>();
  const taken = new Map<string, Uint8Array>();
  const rowsOf = (key: string): Uint8Array => {
    let marks = taken.get(key);
    if (marks === undefined) {
      marks = new Uint8Array(rows);
      for (const column of attributes) {
        if (column.key === key) for (let i = 0; i < column.count; i++) marks[column.rows[i] as number] = 1;
      }
      taken.set(key, marks);
    }
    return marks;
  };
  const added = new Map<string, { row: number; value: Uint8Array }[]>();
  const rests = new ByteInterner(seed);
  const kept = { rows: new Int32Array(overflow.count), codes: new Int32Array(overflow.count), count: 0 };
  for (let i = 0; i < overflow.count; i++) {
    const row = overflow.rows[i] as number;
    const code = overflow.codes[i] as number;
    const from = offsets[code] as number;
    const to = offsets[code + 1] as number;
    const tag = tagOf(row);
    const known = `${tag} ${code}`;
    if (!scanned.has(known)) scanned.set(known, scanFragment(bytes, from, to, tag, wanted));
    const fragment = scanned.get(known);
    const fits = fragment?.values.every(({ key }) => rowsOf(key)[row] === 0) === true;
    if (fragment === undefined || !fits) {
      kept.rows[kept.count] = row;
      kept.codes[kept.count++] = rests.code(bytes, from, to);
      continue;
    }
    for (const { id, value } of fragment.values) {
      const list = added.get(id) ?? [];
      list.push({ row, value });
      added.set(id, list);
    }
    if (fragment.rest.length === 0) continue;
    kept.rows[kept.count] = row;
    kept.codes[kept.count++] = rests.code(fragment.rest, 0, fragment.rest.length);
  }
  if (added.size === 0) return { attributes, overflow };
  const joined = attributes.map((column) => withValues(column, added.get(columnId(column)) ?? [], rows, seed));
  for (const column of columns) {
    const values = added.get(columnId(column));
    if (values === undefined || attributes.some((other) => columnId(other) === columnId(column))) continue;
    joined.push(withValues({ ...column, ...EMPTY }, values, rows, seed));
  }
  return { attributes: joined, overflow: { ...kept, dictionary: rests.view() } };
}

const EMPTY: SparseColumn = {
  count: 0,
  rows: new Int32Array(0),
  codes: new Int32Array(0),
  dictionary: { count: 0, bytes: new Uint8Array(0), offsets: new Uint32Array(1) },
};

/** What can leave a fragment; undefined where nothing can. */
function scanFragment(
  bytes: Uint8Array,
  from: number,
  to: number,
  tag: number,
  wanted: ReadonlyMap<string, TableAttribute>,
): PromotedFragment | undefined {
  const fields: { start: number; to: number; promotion: Promotion | undefined }[] = [];
  const keys = new Map<string, number>();
  const walker = new FieldWalker(bytes, from, to);
  while (walker.next()) {
    const isAttribute = walker.wire === BYTES && walker.field === tag >>> 3;
    let promotion: Promotion | undefined;
    if (isAttribute) {
      const { key, type, value } = scanKeyValue(bytes, walker.from, walker.to);
      const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
      keys.set(text, (keys.get(text) ?? 0) + 1);
      const name = utf8Decode(key);
      if (type !== undefined && wanted.has(columnId({ key: name, type }))) {
        const field = bytes.subarray(walker.start, walker.to);
        const out = new ByteWriter(field.length + 16);
        writeKeyValue(out, tag, utf8Encode(name), type, value, 0, value.length);
        const isText = type !== 'string' || equalBytes(utf8Encode(utf8Decode(value)), value);
        if (isText && equalBytes(out.view(), field))
          promotion = { id: columnId({ key: name, type }), key: name, value };
      }
    }
    fields.push({ start: walker.start, to: walker.to, promotion });
  }
  const values: Promotion[] = [];
  const rest = new ByteWriter(to - from);
  for (const { start, to: end, promotion } of fields) {
    if (promotion !== undefined && keys.get(latin1Of(promotion.key)) === 1) values.push(promotion);
    else rest.bytes(bytes.subarray(start, end));
  }
  return values.length === 0 ? undefined : { values, rest: rest.take() };
}

function latin1Of(key: string): string {
  return Buffer.from(utf8Encode(key)).toString('latin1');
}

/** A column with values of further rows, ascending. */
function withValues(
  column: AttributeColumn,
  values: readonly { row: number; value: Uint8Array }[],
  rows: number,
  seed: number,
): AttributeColumn {
  if (values.length === 0) return column;
  const { key, type, count, dictionary } = column;
  const interner = new ByteInterner(seed);
  const dense = new Int32Array(rows).fill(-1);
  for (let i = 0; i < count; i++) {
    const { from, to } = entryOf(dictionary, column.codes[i] as number);
    dense[column.rows[i] as number] = interner.code(dictionary.bytes, from, to);
  }
  for (const { row, value } of values) dense[row] = interner.code(value, 0, value.length);
  const all = { rows: new Int32Array(count + values.length), codes: new Int32Array(count + values.length), count: 0 };
  for (let row = 0; row < rows; row++) {
    if ((dense[row] as number) < 0) continue;
    all.rows[all.count] = row;
    all.codes[all.count++] = dense[row] as number;
  }
  return { key, type, ...all, dictionary: interner.view() };
}

function entryOf({ offsets }: DictionaryView, code: number): { from: number; to: number } {
  return { from: offsets[code] as number, to: offsets[code + 1] as number };
}
