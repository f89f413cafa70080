import { type ArithmeticOperator, type ComparisonOperator, compilePattern } from '@vivace/traceql';
import { NIL, type Value } from './model.ts';

/** Comparing values and computing with them. */

type Scalar = Exclude<Value, { type: 'nil' | 'array' | 'other' }>;
export type Numeric = Extract<Value, { type: 'int' | 'float' | 'duration' }>;

export function bool(value: boolean): Value {
  return { type: 'bool', value };
}

export function isTrue(value: Value): boolean {
  return value.type === 'bool' && value.value;
}

export function isNumeric(value: Value): value is Numeric {
  return value.type === 'int' || value.type === 'float' || value.type === 'duration';
}

/** As a 64-bit float; durations in nanoseconds. */
export function toFloat(value: Numeric): number {
  return Number(value.value);
}

/** The one value, or all of them as an array; the elements of those that are arrays. */
export function gathered(values: readonly Value[]): Value {
  if (values.length === 0) return NIL;
  if (values.length === 1) return values[0] as Value;
  return { type: 'array', values: values.flatMap((value) => (value.type === 'array' ? value.values : [value])) };
}

/**
 * False wherever one side is nil or has no type of TraceQL, or the types differ. An array compares true where any
 * element does; with `!=` and `!~` where some element is of the type and none of those that are is equal.
 * `ids`: the operands are ids, whose leading zeros and case do not count.
 */
export function compare(operator: ComparisonOperator, left: Value, right: Value, ids = false): boolean {
  if (left.type === 'array' && right.type === 'array') return false;
  const pairs: [Value, Value][] =
    left.type === 'array'
      ? left.values.map((element) => [element, right])
      : right.type === 'array'
        ? right.values.map((element) => [left, element])
        : [[left, right]];
  const verdicts = pairs
    .map(([a, b]) => compareScalars(operator, a, b, ids))
    .filter((verdict) => verdict !== undefined);
  const negative = operator === '!=' || operator === '!~';
  return verdicts.length > 0 && (negative ? verdicts.every(Boolean) : verdicts.some(Boolean));
}

/** Undefined where the two cannot be compared. */
function compareScalars(operator: ComparisonOperator, left: Value, right: Value, ids: boolean): boolean | undefined {
  if (!isScalar(left) || !isScalar(right) || familyOf(left) !== familyOf(right)) return undefined;
  if (operator === '=~' || operator === '!~') {
    if (left.type !== 'string' || right.type !== 'string') return undefined;
    return pattern(right.value).test(left.value) === (operator === '=~');
  }
  const sameOnly = left.type === 'bool' || left.type === 'status' || left.type === 'kind';
  if (sameOnly && operator !== '=' && operator !== '!=') return undefined;
  return ordered(operator, orderOf(left, right, ids));
}

function isScalar(value: Value): value is Scalar {
  return value.type !== 'nil' && value.type !== 'array' && value.type !== 'other';
}

function familyOf(value: Scalar): string {
  return isNumeric(value) ? 'number' : value.type;
}

/** Negative, 0 or positive; NaN where neither is before, with or after the other. */
function orderOf(left: Scalar, right: Scalar, ids: boolean): number {
  if (typeof left.value === 'string' && typeof right.value === 'string') {
    return ids ? compareText(normalId(left.value), normalId(right.value)) : compareText(left.value, right.value);
  }
  if (typeof left.value === 'bigint' && typeof right.value === 'bigint') {
    return left.value < right.value ? -1 : left.value > right.value ? 1 : 0;
  }
  const a = Number(left.value);
  const b = Number(right.value);
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN;
}

function ordered(operator: Exclude<ComparisonOperator, '=~' | '!~'>, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** Byte by byte of their UTF-8. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** So that ids of any length have the order of the numbers they are. */
function normalId(id: string): string {
  return id.toLowerCase().replace(/^0+/, '').padStart(32, '0');
}

const patterns = new Map<string, { test(text: string): boolean }>();

function pattern(source: string): { test(text: string): boolean } {
  let compiled = patterns.get(source);
  if (compiled === undefined) patterns.set(source, (compiled = compilePattern(source)));
  return compiled;
}

/** Nil where an operand is no number, and for integers divided by zero. */
export function compute(operator: ArithmeticOperator, left: Value, right: Value): Value {
  if (!isNumeric(left) || !isNumeric(right)) return NIL;
  if (left.type === 'float' || right.type === 'float') {
    return { type: 'float', value: computeFloat(operator, toFloat(left), toFloat(right)) };
  }
  if (operator === '^' && right.value < 0n) {
    return { type: 'float', value: computeFloat(operator, toFloat(left), toFloat(right)) };
  }
  const value = computeInteger(operator, left.value, right.value);
  if (value === undefined) return NIL;
  const type = left.type === 'duration' || right.type === 'duration' ? 'duration' : 'int';
  return { type, value: BigInt.asIntN(64, value) };
}

function computeFloat(operator: ArithmeticOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
    case '^':
      return left ** right;
  }
}

function computeInteger(operator: ArithmeticOperator, left: bigint, right: bigint): bigint | undefined {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0n ? undefined : left / right;
    case '%':
      return right === 0n ? undefined : left % right;
    case '^':
      return power(left, right);
  }
}

/** By squaring, each product cut to 64 bits, which does not change the lowest 64 bits of the result. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = BigInt.asIntN(64, result * square);
    square = BigInt.asIntN(64, square * square);
  }
  return result;
}

export function negated(value: Value): Value {
  if (value.type === 'float') return { type: 'float', value: -value.value };
  if (value.type === 'int' || value.type === 'duration') {
    return { type: value.type, value: BigInt.asIntN(64, -value.value) };
  }
  return NIL;
}

/**
 * What tells groups, labels and distinct values apart, and their order among values of one type: strings as they
 * are, numbers in decimal (durations in nanoseconds, -0 as 0), elements of an array in brackets.
 */
function valueText(value: Value): string {
  switch (value.type) {
    case 'nil':
      return 'nil';
    case 'array':
      return `[${value.values.map((element) => `${element.type}:${valueText(element)}`).join(', ')}]`;
    case 'other':
      return value.text;
    case 'string':
    case 'status':
    case 'kind':
      return value.value;
    case 'int':
    case 'duration':
    case 'float':
    case 'bool':
      return String(value.value);
  }
}

export function valueKey(value: Value): string {
  return `${value.type}:${valueText(value)}`;
}

/** -0 is 0 where values are told apart. */
export function groupValue(value: Value): Value {
  return value.type === 'float' && value.value === 0 ? { type: 'float', value: 0 } : value;
}

/** By text, then type. */
export function compareValues(a: Value, b: Value): number {
  return compareText(valueText(a), valueText(b)) || compareText(a.type, b.type);
}
