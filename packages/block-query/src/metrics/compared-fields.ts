import type { AttributeScope, Field, Intrinsic } from '@vivace/traceql';
import type { BatchRows } from '../batch-rows.ts';
import type { Value } from '../value.ts';
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

function comparedAttribute(scope: AttributeScope & ('span' | 'resource'), name: string): ComparedField {
  const text = `${scope}.${name}`;
  return { text, field: { kind: 'attribute', scope, name, text, from: 0, to: 0 } };
}

/** Every field that a marked row of a batch may have a value of. */
export function comparedFields(source: BatchRows, marks: Int32Array): ComparedField[] {
  const { batch } = source;
  const keys = new Set(batch.attributeKeys);
  const { rows, codes, count } = batch.overflow();
  for (let i = 0; i < count; i++) {
    const row = rows === undefined ? i : (rows[i] as number);
    if ((codes[i] as number) < 0 || (marks[row] as number) < 0) continue;
    for (const key of source.fragment('span', batch.overflow(), codes[i] as number).attributes.keys()) keys.add(key);
  }
  const resources = new Set<number>();
  const resource = batch.resource();
  for (let row = 0; row < marks.length; row++) if ((marks[row] as number) >= 0) resources.add(resource[row] as number);
  const resourceKeys = new Set<string>();
  for (const code of resources) for (const key of source.resource(code).keys()) resourceKeys.add(key);
  return [
    ...[...keys].map((key) => comparedAttribute('span', key)),
    ...[...resourceKeys].map((key) => comparedAttribute('resource', key)),
    ...INTRINSICS,
  ];
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
