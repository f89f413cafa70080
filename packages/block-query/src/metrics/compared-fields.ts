import type { Field, Intrinsic } from '@vivace/traceql';
import { type BatchRows, codeAt } from '../batch-rows.ts';
import type { Value } from '../value.ts';
import type { Marks } from './intervals.ts';
import { distinctElements } from './labels.ts';

/** What `compare()` compares spans by: their attributes, those of their resources, and the intrinsics with few values. */
export interface ComparedField {
  /** As the label is called. */
  text: string;
  field: Field;
}

const INTRINSICS = (
  [
    ['name', 'span:name'],
    ['status', 'span:status'],
    ['kind', 'span:kind'],
    ['statusMessage', 'span:statusMessage'],
    ['rootName', 'trace:rootName'],
    ['rootServiceName', 'trace:rootService'],
  ] as const
).map(([text, name]) => comparedIntrinsic(text, name));

function comparedIntrinsic(text: string, name: Intrinsic): ComparedField {
  return { text, field: { kind: 'intrinsic', name, text, from: 0, to: 0 } };
}

/** The fields of spans that are compared; each is made once. */
export class ComparedFields {
  readonly #known = new Map<string, ComparedField>();

  /** Every field that a marked row of a batch may have a value of. */
  ofRows(source: BatchRows, marks: Marks): ComparedField[] {
    const { batch } = source;
    const keys = new Set(batch.attributeKeys);
    const { rows, codes, count } = batch.overflow();
    for (let i = 0; i < count; i++) {
      const row = rows === undefined ? i : (rows[i] as number);
      if ((marks.of[row] as number) >= 0) addOverflowKeys(source, codes[i] as number, keys);
    }
    const resources = new Set<number>();
    const resource = batch.resource();
    const { of, rows: list } = marks;
    const length = list?.length ?? of.length;
    for (let i = 0; i < length; i++) {
      const row = list === undefined ? i : (list[i] as number);
      if ((of[row] as number) >= 0) resources.add(resource[row] as number);
    }
    return this.#fields(source, keys, resources);
  }

  /** Every field that a row may have a value of. */
  ofRow(source: BatchRows, row: number): ComparedField[] {
    const { batch } = source;
    const keys = new Set(batch.attributeKeys);
    addOverflowKeys(source, codeAt(batch.overflow(), row), keys);
    return this.#fields(source, keys, [batch.resource()[row] as number]);
  }

  #fields(source: BatchRows, keys: Iterable<string>, resources: Iterable<number>): ComparedField[] {
    const resourceKeys = new Set<string>();
    for (const code of resources) for (const key of source.resource(code).keys()) resourceKeys.add(key);
    return [
      ...Array.from(keys, (key) => this.#attribute('span', key)),
      ...Array.from(resourceKeys, (key) => this.#attribute('resource', key)),
      ...INTRINSICS,
    ];
  }

  #attribute(scope: 'span' | 'resource', name: string): ComparedField {
    const text = `${scope}.${name}`;
    let compared = this.#known.get(text);
    if (compared === undefined) {
      compared = { text, field: { kind: 'attribute', scope, name, text, from: 0, to: 0 } };
      this.#known.set(text, compared);
    }
    return compared;
  }
}

function addOverflowKeys(source: BatchRows, code: number, keys: Set<string>): void {
  if (code < 0) return;
  for (const key of source.fragment('span', source.batch.overflow(), code).attributes.keys()) keys.add(key);
}

/** What counts of a value: distinct elements of types that TraceQL has. A status without a message has none. */
export function comparedValues({ field }: ComparedField, value: Value): Value[] {
  if (
    field.kind === 'intrinsic' &&
    field.name === 'span:statusMessage' &&
    value.type === 'string' &&
    value.value === ''
  ) {
    return [];
  }
  return distinctElements(value).filter(({ type }) => type !== 'other' && type !== 'array');
}
