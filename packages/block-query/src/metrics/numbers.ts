import type { Field } from '@vivace/traceql';
import type { BatchRows } from '../batch-rows.ts';
import type { Value } from '../value.ts';
import { classesOf } from './classes.ts';
import type { Marks } from './intervals.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

export const NO_NUMBER = 0;
export const INTEGER = 1;
export const FLOAT = 2;

/** A number: an integer is high * 2^32 + low, both exact and low not negative; a float is `high`. */
export interface NumberParts {
  type: number;
  high: number;
  low: number;
}

/** Numbers by row. */
export interface NumberRows {
  types: Uint8Array;
  high: Float64Array;
  low: Float64Array;
}

/** Values that are no numbers, and NaN, do not count. */
export function numberOfValue(value: Value): NumberParts {
  switch (value.type) {
    case 'int':
    case 'duration':
      return integerParts(value.value);
    case 'float':
      return { type: Number.isNaN(value.value) ? NO_NUMBER : FLOAT, high: value.value, low: 0 };
    default:
      return { type: NO_NUMBER, high: 0, low: 0 };
  }
}

function integerParts(value: bigint): NumberParts {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    return { type: INTEGER, high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
  }
  const high = Math.floor(number / 4294967296);
  return { type: INTEGER, high, low: number - high * 4294967296 };
}

/** Of rows that are marked. */
export function numbersOf(source: BatchRows, field: Field, marks: Marks): NumberRows {
  const rows = marks.of.length;
  const numbers = { types: new Uint8Array(rows), high: new Float64Array(rows), low: new Float64Array(rows) };
  if (field.kind === 'intrinsic' && field.name === 'span:duration') {
    readDurations(source.batch.duration(), numbers);
    return numbers;
  }
  const { codes, size, valueOf } = classesOf(source, field, marks);
  const types = new Uint8Array(size + 1).fill(UNKNOWN);
  types[0] = NO_NUMBER;
  const high = new Float64Array(size + 1);
  const low = new Float64Array(size + 1);
  const { of, rows: list } = marks;
  const length = list?.length ?? of.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if ((of[row] as number) < 0) continue;
    const at = (codes[row] as number) + 1;
    if (types[at] === UNKNOWN) {
      const parts = numberOfValue(valueOf(at - 1));
      types[at] = parts.type;
      high[at] = parts.high;
      low[at] = parts.low;
    }
    numbers.types[row] = types[at] as number;
    numbers.high[row] = high[at] as number;
    numbers.low[row] = low[at] as number;
  }
  return numbers;
}

const UNKNOWN = 255;

function readDurations(durations: Uint32Array, { types, high, low }: NumberRows): void {
  types.fill(INTEGER);
  for (let row = 0; row < types.length; row++) {
    high[row] = durations[2 * row + 1] as number;
    low[row] = durations[2 * row] as number;
  }
}
