import type { AggregateFunction, ScalarExpression } from '@vivace/traceql';
import { evaluate } from './evaluate.ts';
import type { TraceRows } from './trace-rows.ts';
import { calculate, isNumeric, NIL, numberOf, type Value } from './value.ts';

type Aggregate = ScalarExpression & { kind: 'aggregate' };

export function aggregatesIn(scalar: ScalarExpression): Aggregate[] {
  if (scalar.kind === 'aggregate') return [scalar];
  return scalar.kind === 'static' ? [] : [...aggregatesIn(scalar.left), ...aggregatesIn(scalar.right)];
}

/** The value of a scalar expression over spans of a trace. */
export function scalarValue(scalar: ScalarExpression, trace: TraceRows, spans: readonly number[]): Value {
  switch (scalar.kind) {
    case 'static':
      return scalar.value;
    case 'arithmetic':
      return calculate(
        scalar.operator,
        scalarValue(scalar.left, trace, spans),
        scalarValue(scalar.right, trace, spans),
      );
    case 'aggregate':
      return aggregateValue(scalar, trace, spans);
  }
}

/** Nil where no span has a number. Integers stay integers and durations durations; mixed types are floats. */
function aggregateValue({ function: name, argument }: Aggregate, trace: TraceRows, spans: readonly number[]): Value {
  if (argument === undefined) return { type: 'int', value: BigInt(spans.length) };
  const integers: bigint[] = [];
  const floats: number[] = [];
  const types = new Set<string>();
  for (const span of spans) {
    const value = evaluate(argument, trace, span);
    if (!isNumeric(value) || Number.isNaN(value.value)) continue;
    types.add(value.type);
    floats.push(numberOf(value));
    if (value.type !== 'float') integers.push(value.value);
  }
  if (floats.length === 0) return NIL;
  const [type] = types;
  if (types.size > 1 || type === 'float') return { type: 'float', value: overFloats(name, floats) };
  const sum = integers.reduce((total, value) => total + value, 0n);
  if (name === 'avg' && type === 'int') return { type: 'float', value: Number(sum) / integers.length };
  return { type: type === 'duration' ? 'duration' : 'int', value: overIntegers(name, integers, sum) };
}

function overFloats(name: AggregateFunction, values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (name) {
    case 'count':
      return values.length;
    case 'sum':
      return sum;
    case 'avg':
      return sum / values.length;
    case 'min':
      return values.reduce((least, value) => Math.min(least, value));
    case 'max':
      return values.reduce((most, value) => Math.max(most, value));
  }
}

function overIntegers(name: AggregateFunction, values: readonly bigint[], sum: bigint): bigint {
  switch (name) {
    case 'count':
      return BigInt(values.length);
    case 'sum':
      return BigInt.asIntN(64, sum);
    case 'avg':
      return sum / BigInt(values.length);
    case 'min':
      return values.reduce((least, value) => (value < least ? value : least));
    case 'max':
      return values.reduce((most, value) => (value > most ? value : most));
  }
}
