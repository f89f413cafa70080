import type { Label } from '../answer.ts';
import { type Value, valueKey } from '../value.ts';

/** The same text for the same labels and no other. */
export function labelsKey(labels: readonly Label[]): string {
  return labels.map(({ key, value }) => JSON.stringify([key, valueKey(value)])).join();
}

/** Of an array its elements, each once; of nil none. 0 and -0 are one. */
export function distinctElements(value: Value): Value[] {
  if (value.type === 'nil') return [];
  if (value.type !== 'array') return [withoutNegativeZero(value)];
  const elements = new Map<string, Value>();
  for (const element of value.values) elements.set(valueKey(element), withoutNegativeZero(element));
  return [...elements.values()];
}

export function withoutNegativeZero(value: Value): Value {
  return value.type === 'float' && value.value === 0 ? { type: 'float', value: 0 } : value;
}

/** Label by label: by key, then the value's text, then its type; the shorter list first. */
export function compareLabels(a: readonly Label[], b: readonly Label[]): number {
  for (const [i, label] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    const order = compareTexts(label.key, other.key) || compareValues(label.value, other.value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

export function compareValues(a: Value, b: Value): number {
  return compareTexts(valueText(a), valueText(b)) || compareTexts(a.type, b.type);
}

/** By the bytes of UTF-8, for which nothing is encoded: code units that are no surrogates come before those that are. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (isSurrogate(x) ? x + 0x2000 : x) - (isSurrogate(y) ? y + 0x2000 : y);
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
}

/** Numbers in decimal, durations in nanoseconds, arrays in brackets. */
function valueText(value: Value): string {
  switch (value.type) {
    case 'nil':
      return 'nil';
    case 'array':
      return `[${value.values.map((element) => `${element.type}:${valueText(element)}`).join(', ')}]`;
    case 'other':
      return value.text;
    default:
      return String(value.value);
  }
}
