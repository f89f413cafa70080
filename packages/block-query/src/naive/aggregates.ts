import type { AggregateFunction, ScalarExpression } from '@vivace/traceql';
import { evaluate } from './expressions.ts';
import { type NaiveSpan, NIL, type Value } from './model.ts';
import { compute, isNumeric, type Numeric, toFloat } from './values.ts';

export function aggregatesIn(scalar: ScalarExpression): Extract<ScalarExpression, { kind: 'aggregate' }>[] {
  if (scalar.kind === 'aggregate') return [scalar];
  return scalar.kind === 'static' ? [] : [...aggregatesIn(scalar.left), ...aggregatesIn(scalar.right)];
}

export function scalarValue(scalar: ScalarExpression, spans: readonly NaiveSpan[]): Value {
  switch (scalar.kind) {
    case 'static':
      return scalar.value;
    case 'arithmetic':
      return compute(scalar.operator, scalarValue(scalar.left, spans), scalarValue(scalar.right, spans));
    case 'aggregate': {
      const { argument } = scalar;
      if (argument === undefined) return { type: 'int', value: BigInt(spans.length) };
      return aggregate(scalar.function, spans.map((span) => evaluate(argument, span)).filter(isMeasured));
    }
  }
}

/** Whether aggregates look at a value: numbers, but NaN. */
export function isMeasured(value: Value): value is Numeric {
  return isNumeric(value) && !Number.isNaN(value.value);
}

/** Nil for no values. Integers stay integers and durations durations; where types are mixed all are floats. */
function aggregate(name: AggregateFunction, values: readonly Numeric[]): Value {
  const [first] = values;
  if (first === undefined) return NIL;
  const { type } = first;
  if (type === 'float' || values.some((value) => value.type !== type)) {
    return { type: 'float', value: aggregateFloats(name, values.map(toFloat)) };
  }
  const integers = values.map((value) => BigInt(value.value));
  const sum = integers.reduce((total, value) => total + value, 0n);
  if (name === 'avg' && type === 'int') return { type: 'float', value: Number(sum) / values.length };
  return { type, value: aggregateIntegers(name, integers, sum) };
}

function aggregateFloats(name: AggregateFunction, values: readonly number[]): number {
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

function aggregateIntegers(name: AggregateFunction, values: readonly bigint[], sum: bigint): bigint {
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
