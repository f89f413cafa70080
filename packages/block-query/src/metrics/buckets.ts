import type { Field } from '@vivace/traceql';
import type { BatchRows } from '../batch-rows.ts';
import type { RowList } from '../row-list.ts';
import type { Value } from '../value.ts';
import { classesOf } from './classes.ts';
import type { Marks } from './intervals.ts';

// Hot path: once a row. Benchmark: metrics.bench.ts.

/**
 * Buckets of powers of two: that of exponent k has the values in (2^(k - 1), 2^k]. Values below 2 and what is neither
 * an int nor a duration have none, which is exponent 0.
 */

/** Of the largest duration there is: from 0 to 2^64 - 1. */
export const MAX_EXPONENT = 64;

export function exponentOf(value: Value): number {
  if ((value.type !== 'int' && value.type !== 'duration') || value.value < 2n) return 0;
  const less = Number(value.value) - 1;
  // Beyond, the number one below a power of two may be that power as a double.
  if (less >= Number.MAX_SAFE_INTEGER) return (value.value - 1n).toString(2).length;
  return less < TWO_32 ? 32 - Math.clz32(less) : 64 - Math.clz32(Math.floor(less / TWO_32));
}

const TWO_32 = 4294967296;

/** Whether the values of a field are durations, which series give in seconds. */
export function isDuration(field: Field): boolean {
  if (field.kind === 'attribute') return false;
  return field.name === 'span:duration' || field.name === 'trace:duration' || field.name === 'event:timeSinceStart';
}

/** The upper bound of a bucket as series give it. */
export function boundOf(exponent: number, field: Field): number {
  return isDuration(field) ? 2 ** exponent / 1e9 : 2 ** exponent;
}

/** Row → exponent, of rows that are marked. */
export function exponentsOf(source: BatchRows, field: Field, marks: Marks): Uint8Array {
  const exponents = new Uint8Array(marks.of.length);
  if (field.kind === 'intrinsic' && field.name === 'span:duration') {
    durationExponents(source.batch.duration(), exponents, marks.rows);
    return exponents;
  }
  const { codes, size, valueOf } = classesOf(source, field, marks);
  const table = new Uint8Array(size + 1).fill(UNKNOWN);
  table[0] = 0;
  const { of, rows: list } = marks;
  const length = list?.length ?? of.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    if ((of[row] as number) < 0) continue;
    const code = codes[row] as number;
    let exponent = table[code + 1] as number;
    if (exponent === UNKNOWN) exponent = table[code + 1] = exponentOf(valueOf(code));
    exponents[row] = exponent;
  }
  return exponents;
}

const UNKNOWN = 255;

/** In halves, because 2^k and the number after it may be one double: as many digits as the value less one has. */
function durationExponents(durations: Uint32Array, exponents: Uint8Array, list: RowList): void {
  const length = list?.length ?? exponents.length;
  for (let i = 0; i < length; i++) {
    const row = list === undefined ? i : (list[i] as number);
    const low = durations[2 * row] as number;
    const high = durations[2 * row + 1] as number;
    if (high === 0) exponents[row] = low === 0 ? 0 : 32 - Math.clz32(low - 1);
    else if (low === 0) exponents[row] = high === 1 ? 32 : 64 - Math.clz32(high - 1);
    else exponents[row] = 64 - Math.clz32(high);
  }
}
