import { formatDuration } from '@vivace/traceql';
import type { AnswerValue } from '../answer.ts';

/** A value in an answer. One member is set. */
export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: bigint;
  doubleValue?: number;
}

/** Kinds of values that clients can keep in one column of a table: only integers and doubles go together. */
export type ValueClass = 'string' | 'number' | 'bool';

export function classOf(value: AnswerValue): ValueClass {
  switch (value.type) {
    case 'int':
    case 'float':
      return 'number';
    case 'bool':
      return 'bool';
    case 'nil':
    case 'string':
    case 'duration':
    case 'status':
    case 'kind':
    case 'array':
    case 'other':
      return 'string';
  }
}

/** A value as answers carry it: numbers and booleans as they are, everything else as text. Exactly one member is set. */
export function toAnyValue(value: AnswerValue): AnyValue {
  if (value.type === 'int') return { intValue: value.value };
  if (value.type === 'float') return { doubleValue: value.value };
  if (value.type === 'bool') return { boolValue: value.value };
  return { stringValue: textOf(value) };
}

/** A value in an answer as JSON, which has no form of its own for NaN and the infinities. */
export function anyValueJson({ stringValue, intValue, boolValue, doubleValue = 0 }: AnyValue): string {
  if (stringValue !== undefined) return `{"stringValue":${JSON.stringify(stringValue)}}`;
  if (intValue !== undefined) return `{"intValue":"${intValue}"}`;
  if (boolValue !== undefined) return `{"boolValue":${boolValue}}`;
  return `{"doubleValue":${doubleJson(doubleValue)}}`;
}

export function doubleJson(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

/** Any value as text: durations as Go writes them, `nil` for nothing, arrays as JSON writes them. */
export function textOf(value: AnswerValue): string {
  switch (value.type) {
    case 'nil':
      return 'nil';
    case 'string':
    case 'status':
    case 'kind':
      return value.value;
    case 'int':
    case 'float':
    case 'bool':
      return String(value.value);
    case 'duration':
      return formatDuration(value.value);
    case 'array':
      return `[${value.values.map((item) => (item.type === 'string' ? JSON.stringify(item.value) : textOf(item))).join(',')}]`;
    case 'other':
      return value.text;
  }
}
