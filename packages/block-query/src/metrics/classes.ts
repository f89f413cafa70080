import type { Field } from '@vivace/traceql';
import type { CodedColumn } from '../batch.ts';
import type { BatchRows } from '../batch-rows.ts';
import { traceRowsOf } from '../column-flags.ts';
import { needsWholeTrace } from '../conjunction.ts';
import { entryValue } from '../literal-test.ts';
import { kindValue, NIL, statusValue, type Value, valueKey } from '../value.ts';
import type { Marks } from './intervals.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/**
 * The values of a field in a batch as numbers. Rows of one class have the same value; there may be several classes of
 * one value. Rows that are not marked may have any class.
 */
export interface Classes {
  /** Row → class; -1: nil. */
  codes: Int32Array;
  /** Classes are below it. */
  size: number;
  valueOf: (code: number) => Value;
}

/** @param marks Rows that are wanted have one that is not negative. */
export function classesOf(source: BatchRows, field: Field, marks: Marks): Classes {
  const { batch } = source;
  if (field.kind === 'attribute') {
    switch (field.scope) {
      case 'span':
        return spanClasses(source, field, marks);
      case 'resource':
        return {
          codes: batch.resource(),
          size: batch.resources().length,
          valueOf: (code) => source.resource(code).get(field.name) ?? NIL,
        };
      case 'instrumentation':
        return scopeClasses(source, (code) => source.scope(code).attributes.get(field.name) ?? NIL);
      case 'any':
        return anyClasses(source, field, marks);
      default:
        return valueClasses(source, field, marks);
    }
  }
  switch (field.name) {
    case 'span:name':
      return textClasses(source, field, batch.name(), 'name', marks);
    case 'span:statusMessage':
      return textClasses(source, field, batch.statusMessage(), 'statusMessage', marks);
    case 'span:status':
      return { codes: Int32Array.from(batch.status()), size: 256, valueOf: statusValue };
    case 'span:kind':
      return { codes: Int32Array.from(batch.kind()), size: 256, valueOf: kindValue };
    case 'instrumentation:name':
      return scopeClasses(source, (code) => ({ type: 'string', value: source.scope(code).name }));
    case 'instrumentation:version':
      return scopeClasses(source, (code) => ({ type: 'string', value: source.scope(code).version }));
    default:
      return valueClasses(source, field, marks);
  }
}

/** The classes that are in use, one for each value. */
export function compactClasses({ codes, size, valueOf }: Classes, marks: Marks): Classes {
  const met = new MetValues(0);
  const table = new Int32Array(size + 1).fill(UNKNOWN);
  table[0] = -1;
  const compact = new Int32Array(marks.of.length);
  const { of, rows: list } = marks;
  const length = list?.length ?? of.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if ((of[row] as number) < 0) continue;
    const at = (codes[row] as number) + 1;
    if (table[at] === UNKNOWN) table[at] = met.classOf(valueOf(at - 1));
    compact[row] = table[at] as number;
  }
  return { codes: compact, size: met.size, valueOf: (code) => met.valueOf(code) };
}

const UNKNOWN = -2;

function scopeClasses({ batch }: BatchRows, valueOf: (code: number) => Value): Classes {
  return { codes: batch.scope(), size: batch.scopes().length, valueOf };
}

/** Classes that are made while values are met, with numbers from `first` on. */
class MetValues {
  readonly #first: number;
  readonly #known = new Map<string, number>();
  readonly #values: Value[] = [];

  constructor(first: number) {
    this.#first = first;
  }

  classOf(value: Value): number {
    if (value.type === 'nil') return -1;
    const key = valueKey(value);
    let code = this.#known.get(key);
    if (code === undefined) {
      code = this.#first + this.#values.length;
      this.#known.set(key, code);
      this.#values.push(value);
    }
    return code;
  }

  get size(): number {
    return this.#first + this.#values.length;
  }

  valueOf(code: number): Value {
    return this.#values[code - this.#first] ?? NIL;
  }
}

function spanClasses(source: BatchRows, field: Field, marks: Marks): Classes {
  const { batch } = source;
  const columns = batch.attributes(field.name).filter(({ count }) => count > 0);
  const overflow = batch.overflow();
  const [only] = columns;
  if (columns.length === 1 && only !== undefined && isDense(only, batch.rows) && overflow.count === 0) {
    const { codes, dictionary, type } = only;
    return { codes, size: dictionary.count, valueOf: (code) => entryOf(type, dictionary, code) };
  }
  const codes = new Int32Array(batch.rows).fill(-1);
  const several: number[] = [];
  const bases: number[] = [];
  let size = 0;
  for (const column of columns) {
    placeCodes(column, size, codes, several);
    bases.push(size);
    size += column.dictionary.count;
  }
  eachMarked(overflow, marks, (row, code) => {
    if (source.fragment('span', overflow, code).attributes.has(field.name)) several.push(row);
  });
  const met = new MetValues(size);
  for (const row of several) if ((marks.of[row] as number) >= 0) codes[row] = met.classOf(source.valueOf(row, field));
  return {
    codes,
    size: met.size,
    valueOf: (code) => {
      if (code >= size) return met.valueOf(code);
      let at = bases.length - 1;
      while (at > 0 && (bases[at] as number) > code) at--;
      const column = columns[at];
      return column === undefined ? NIL : entryOf(column.type, column.dictionary, code - (bases[at] as number));
    },
  };
}

/** Rows that have a value already are added to `several`. */
function placeCodes(column: CodedColumn, base: number, into: Int32Array, several: number[]): void {
  const { rows, codes } = column;
  const count = rows === undefined ? Math.min(column.count, into.length) : column.count;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    if (code < 0) continue;
    const row = rows === undefined ? i : (rows[i] as number);
    if (into[row] === -1) into[row] = base + code;
    else several.push(row);
  }
}

/** The first scope that has the key decides. */
function anyClasses(source: BatchRows, field: Field, marks: Marks): Classes {
  const { batch } = source;
  const own = spanClasses(source, field, marks);
  const codes = own.codes.slice(0, batch.rows);
  const resources = batch.resource();
  const scopes = batch.scope();
  const ofResources = batch.resources().map((_, code) => source.resource(code).get(field.name));
  const ofScopes = batch.scopes().map((_, code) => source.scope(code).attributes.get(field.name));
  const inEvents =
    batch.eventRows > 0 && (batch.eventAttributes(field.name).length > 0 || batch.eventOverflow().count > 0);
  const firstScope = own.size + ofResources.length;
  const met = new MetValues(firstScope + ofScopes.length);
  const { of, rows: list } = marks;
  const length = list?.length ?? of.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if (codes[row] !== -1 || (of[row] as number) < 0) continue;
    const resource = resources[row] as number;
    const scope = scopes[row] as number;
    if (ofResources[resource] !== undefined) codes[row] = own.size + resource;
    else if (inEvents) codes[row] = met.classOf(source.valueOf(row, field));
    else if (ofScopes[scope] !== undefined) codes[row] = firstScope + scope;
  }
  return {
    codes,
    size: met.size,
    valueOf: (code) => {
      if (code < own.size) return own.valueOf(code);
      if (code < firstScope) return ofResources[code - own.size] ?? NIL;
      return ofScopes[code - firstScope] ?? met.valueOf(code);
    },
  };
}

/** Texts of which those that are not UTF-8 lie in the overflow; without any it is "". */
function textClasses(
  source: BatchRows,
  field: Field,
  column: CodedColumn,
  member: 'name' | 'statusMessage',
  marks: Marks,
): Classes {
  const { batch } = source;
  const { dictionary, type } = column;
  const overflow = batch.overflow();
  const empty = dictionary.count;
  const valueOf = (code: number): Value =>
    code === empty ? { type: 'string', value: '' } : entryOf(type, dictionary, code);
  if (overflow.count === 0 && isDense(column, batch.rows) && member === 'name') {
    return { codes: column.codes, size: empty + 1, valueOf };
  }
  const codes = new Int32Array(batch.rows).fill(-1);
  placeCodes(column, 0, codes, []);
  for (let row = 0; row < codes.length; row++) if (codes[row] === -1) codes[row] = empty;
  const met = new MetValues(empty + 1);
  eachMarked(overflow, marks, (row, code) => {
    if (source.fragment('span', overflow, code)[member] === undefined) return;
    codes[row] = met.classOf(source.valueOf(row, field));
  });
  return { codes, size: met.size, valueOf: (code) => (code > empty ? met.valueOf(code) : valueOf(code)) };
}

/** Of fields without a column: value by value. */
function valueClasses(source: BatchRows, field: Field, marks: Marks): Classes {
  const { batch } = source;
  const codes = new Int32Array(batch.rows).fill(-1);
  const met = new MetValues(0);
  if (!needsWholeTrace(field)) {
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      if ((of[row] as number) >= 0) codes[row] = met.classOf(source.valueOf(row, field));
    }
  } else {
    const first = batch.traceFirst();
    const order = batch.order();
    for (let trace = 0; trace < batch.traceCount; trace++) {
      let at = first[trace] as number;
      const to = first[trace + 1] as number;
      while (at < to && (marks.of[order === undefined ? at : (order[at] as number)] as number) < 0) at++;
      if (at === to) continue;
      const rows = traceRowsOf(source, trace);
      const one = isOfTrace(field) ? met.classOf(rows.value(0, field)) : undefined;
      for (let i = 0; i < rows.count; i++) {
        const row = rows.row(i);
        if ((marks.of[row] as number) >= 0) codes[row] = one ?? met.classOf(rows.value(i, field));
      }
    }
  }
  return { codes, size: met.size, valueOf: (code) => met.valueOf(code) };
}

/** Whether all spans of a trace have the same value. */
function isOfTrace({ kind, name }: Field): boolean {
  return kind === 'intrinsic' && name.startsWith('trace:');
}

function isDense({ rows, count }: CodedColumn, batchRows: number): boolean {
  return rows === undefined && count >= batchRows;
}

function entryOf(type: CodedColumn['type'], dictionary: CodedColumn['dictionary'], code: number): Value {
  return code < 0 ? NIL : entryValue(type, dictionary, code);
}

function eachMarked(column: CodedColumn, marks: Marks, use: (row: number, code: number) => void): void {
  const { rows, codes, count } = column;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    const row = rows === undefined ? i : (rows[i] as number);
    if (code >= 0 && (marks.of[row] as number) >= 0) use(row, code);
  }
}
