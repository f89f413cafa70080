import { VivaceError } from '@vivace/kernel';
import type { Field } from '@vivace/traceql';
import type { Label } from '../answer.ts';
import type { BatchRows } from '../batch-rows.ts';
import type { TraceRows } from '../trace-rows.ts';
import { NIL, type Value, valueKey } from '../value.ts';
import type { Budget } from './budget.ts';
import { type Classes, classesOf, compactClasses } from './classes.ts';
import type { Marks } from './intervals.ts';
import { distinctElements, withoutNegativeZero } from './labels.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/** Of one query, before `topk()` and the limit of series. */
const MAX_GROUPS = 20_000;

const GROUP_BYTES = 300;

/** Groups of one span: each element of an array counts. Two labels of a thousand elements are a million. */
const MAX_GROUPS_OF_SPAN = 1000;

/** Numbers the combinations of the values of `by`. */
export class Groups {
  readonly by: readonly Field[];
  readonly labels: Label[][] = [];
  readonly #known = new Map<string, number>();
  readonly #name: string | undefined;
  readonly #budget: Budget;

  /** @param name The label of the only group, where there is no `by`. */
  constructor(by: readonly Field[], name: string | undefined, budget: Budget) {
    this.by = by;
    this.#name = name;
    this.#budget = budget;
  }

  /** Groups of a span with these values of `by`. Throws `limited` where there are too many. */
  of(values: readonly Value[]): number[] {
    const [first] = this.by;
    if (first === undefined) {
      return [this.#enter('', () => (this.#name === undefined ? [] : [{ key: '__name__', value: text(this.#name) }]))];
    }
    if (!values.some(({ type }) => type === 'array')) return [this.#number(values)];
    let combinations: Value[][] = [[]];
    for (const i of this.by.keys()) {
      const elements = distinctElements(values[i] ?? NIL);
      if (elements.length === 0) elements.push(NIL);
      if (combinations.length * elements.length > MAX_GROUPS_OF_SPAN) throw tooManySeries();
      combinations = combinations.flatMap((one) => elements.map((element) => [...one, element]));
    }
    return combinations.map((combination) => this.#number(combination));
  }

  ofSpan(trace: TraceRows, span: number): number[] {
    return this.of(this.by.map((field) => trace.value(span, field)));
  }

  /** The group of one value of each field, none of them an array. */
  #number(values: readonly Value[]): number {
    let key = '';
    for (const i of this.by.keys()) {
      const one = valueKey(values[i] ?? NIL);
      key += `${one.length}:${one}`;
    }
    return this.#enter(key, () => {
      const labels = this.by.map(({ text: name }, i) => ({ key: name, value: withoutNegativeZero(values[i] ?? NIL) }));
      const present = labels.filter(({ value }) => value.type !== 'nil');
      return present.length > 0 ? present : labels.slice(0, 1);
    });
  }

  #enter(key: string, labelsOf: () => Label[]): number {
    let number = this.#known.get(key);
    if (number === undefined) {
      number = this.labels.length;
      if (number >= MAX_GROUPS) throw tooManySeries();
      // Its labels, and their text again as the key.
      this.#budget.take(GROUP_BYTES + 4 * key.length);
      this.#known.set(key, number);
      this.labels.push(labelsOf());
    }
    return number;
  }
}

function text(value: string): Value {
  return { type: 'string', value };
}

function tooManySeries(): VivaceError {
  return new VivaceError(
    'limited',
    'metrics-series',
    `the query has more than ${MAX_GROUPS} series\ngroup by attributes with less values, or filter for fewer spans`,
  );
}

/** What stands in `RowGroups.table` instead of one group. */
const NOT_ONE_GROUP = -1;

/** Groups of the rows of a batch. */
export interface RowGroups {
  /** Row → class. */
  codes: Int32Array;
  /** Class + 1 → its group; NOT_ONE_GROUP: ask `groupsOf`, which enters what can be. */
  table: Int32Array;
  groupsOf: (code: number) => readonly number[];
}

export function rowGroups(groups: Groups, source: BatchRows, marks: Marks): RowGroups {
  const { codes, size, valuesOf } = tuplesOf(groups.by, source, marks);
  const table = new Int32Array(size + 1).fill(NOT_ONE_GROUP);
  const several = new Map<number, readonly number[]>();
  return {
    codes,
    table,
    groupsOf: (code) => {
      const known = several.get(code);
      if (known !== undefined) return known;
      const found = groups.of(valuesOf(code));
      const [only] = found;
      if (found.length === 1 && only !== undefined) table[code + 1] = only;
      else several.set(code, found);
      return found;
    },
  };
}

/** Classes of the values of several fields. */
interface Tuples {
  codes: Int32Array;
  size: number;
  valuesOf: (code: number) => Value[];
}

function tuplesOf(by: readonly Field[], source: BatchRows, marks: Marks): Tuples {
  let tuples: Tuples | undefined;
  for (const field of by) {
    let classes = classesOf(source, field, marks);
    // Dictionaries of blocks have entries that no row has, and values that are there several times.
    if (by.length > 1 && classes.size > MANY_CLASSES) classes = compactClasses(classes, marks);
    tuples = tuples === undefined ? singles(classes) : paired(tuples, classes, marks);
  }
  return tuples ?? { codes: new Int32Array(source.batch.rows), size: 1, valuesOf: () => [] };
}

function singles(classes: Classes): Tuples {
  const { codes, size } = classes;
  return { codes, size, valuesOf: (code) => [valueOf(classes, code)] };
}

function valueOf(classes: Classes, code: number): Value {
  return code < 0 ? NIL : classes.valueOf(code);
}

/** More are looked through before they are paired. */
const MANY_CLASSES = 300;

/** Pairs of fewer classes are numbered in a table. */
const MAX_TABLE_PAIRS = 1 << 20;

function paired(left: Tuples, right: Classes, marks: Marks): Tuples {
  const codes = new Int32Array(marks.of.length).fill(-1);
  const width = right.size + 1;
  const pairs = (left.size + 1) * width;
  const lefts: number[] = [];
  const rights: number[] = [];
  const enter = (a: number, b: number): number => {
    lefts.push(a);
    rights.push(b);
    return lefts.length - 1;
  };
  const a = left.codes;
  const b = right.codes;
  if (pairs <= MAX_TABLE_PAIRS) {
    const table = new Int32Array(pairs).fill(-1);
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      if ((of[row] as number) < 0) continue;
      const pair = ((a[row] as number) + 1) * width + (b[row] as number) + 1;
      let code = table[pair] as number;
      if (code < 0) code = table[pair] = enter(a[row] as number, b[row] as number);
      codes[row] = code;
    }
  } else {
    const known = new Map<number, number>();
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      if ((of[row] as number) < 0) continue;
      const pair = ((a[row] as number) + 1) * width + (b[row] as number) + 1;
      let code = known.get(pair);
      if (code === undefined) known.set(pair, (code = enter(a[row] as number, b[row] as number)));
      codes[row] = code;
    }
  }
  return {
    codes,
    size: lefts.length,
    valuesOf: (code) => [...left.valuesOf(lefts[code] as number), valueOf(right, rights[code] as number)],
  };
}
