import type { ArithmeticOperator, ComparisonOperator, Kind, Status } from '@vivace/traceql';
import type { AnswerValue } from './answer.ts';

/** What an expression gives for a span. */
export type Value = AnswerValue;
type Scalar = Exclude<Value, { type: 'nil' | 'array' | 'other' }>;

export const NIL: Value = { type: 'nil' };
export const TRUE: Value = { type: 'bool', value: true };
export const FALSE: Value = { type: 'bool', value: false };

/**
 * What is known of the values of a field when they are compared with something: flags, because a field may have
 * several values (arrays, keys that were given twice, events) of which one is enough.
 */
export const PRESENT = 1;
/** One value could be compared: it is of the same family of types. */
export const COMPARABLE = 2;
export const HOLDS = 4;
export const ALL_FLAGS = PRESENT | COMPARABLE | HOLDS;

const STATUSES: readonly Status[] = ['unset', 'ok', 'error'];
const KINDS: readonly Kind[] = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUS_VALUES = STATUSES.map((value): Value => ({ type: 'status', value }));
const KIND_VALUES = KINDS.map((value): Value => ({ type: 'kind', value }));

/** Of an OTLP status code; codes that OTLP does not have are unset. */
export function statusValue(code: number): Value {
  return STATUS_VALUES[code] ?? (STATUS_VALUES[0] as Value);
}

/** Of an OTLP span kind; kinds that OTLP does not have are unspecified. */
export function kindValue(kind: number): Value {
  return KIND_VALUES[kind] ?? (KIND_VALUES[0] as Value);
}

export function isTrue(value: Value): boolean {
  return value.type === 'bool' && value.value;
}

export function isNumeric(value: Value): value is Value & { type: 'int' | 'float' | 'duration' } {
  return value.type === 'int' || value.type === 'float' || value.type === 'duration';
}

export function numberOf(value: Value & { type: 'int' | 'float' | 'duration' }): number {
  return value.type === 'float' ? value.value : Number(value.value);
}

/** Negative operators are true of what can be compared and does not hold of the positive one. */
export function positiveOperator(operator: ComparisonOperator): ComparisonOperator {
  if (operator === '!=') return '=';
  return operator === '!~' ? '=~' : operator;
}

function isNegative(operator: ComparisonOperator): boolean {
  return operator === '!=' || operator === '!~';
}

/** Whether a comparison whose flags are known is true. */
export function verdict(operator: ComparisonOperator, flags: number): boolean {
  return isNegative(operator) ? (flags & (COMPARABLE | HOLDS)) === COMPARABLE : (flags & HOLDS) !== 0;
}

/** Flags of `left operator right`, of which at most one may be an array; `operator` is a positive one. */
export function compareFlags(operator: ComparisonOperator, left: Value, right: Value): number {
  if (left.type === 'nil' || right.type === 'nil') return 0;
  if (left.type === 'array') {
    if (right.type === 'array') return PRESENT;
    return left.values.reduce((flags, element) => flags | compareElements(operator, element, right), PRESENT);
  }
  if (right.type === 'array') {
    return right.values.reduce((flags, element) => flags | compareElements(operator, left, element), PRESENT);
  }
  return PRESENT | compareElements(operator, left, right);
}

/** What is in an array of an array is not compared. */
function compareElements(operator: ComparisonOperator, left: Value, right: Value): number {
  return isScalar(left) && isScalar(right) ? compareScalars(operator, left, right) : 0;
}

function isScalar(value: Value): value is Scalar {
  return value.type !== 'nil' && value.type !== 'array' && value.type !== 'other';
}

function compareScalars(operator: ComparisonOperator, left: Scalar, right: Scalar): number {
  if (isNumeric(left) && isNumeric(right)) {
    if (left.type === 'float' || right.type === 'float') return ordered(operator, numberOf(left), numberOf(right));
    return ordered(operator, left.value, right.value);
  }
  if (left.type !== right.type) return 0;
  if (left.type === 'string') {
    const order = operator === '=' ? 0 : compareText(left.value, right.value as string);
    if (operator === '=') return COMPARABLE | (left.value === right.value ? HOLDS : 0);
    return ordered(operator, order, 0);
  }
  return operator === '=' ? COMPARABLE | (left.value === right.value ? HOLDS : 0) : 0;
}

function ordered<T extends number | bigint>(operator: ComparisonOperator, a: T, b: T): number {
  return COMPARABLE | (holds(operator, a, b) ? HOLDS : 0);
}

/** Of two numbers or two bigints. */
function holds(operator: ComparisonOperator, a: number | bigint, b: number | bigint): boolean {
  switch (operator) {
    case '=':
      return a === b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      return false;
  }
}

/** By the bytes of UTF-8. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Nil where an operand has no number, or where an integer is divided by zero. */
export function calculate(operator: ArithmeticOperator, left: Value, right: Value): Value {
  if (!isNumeric(left) || !isNumeric(right)) return NIL;
  if (left.type === 'float' || right.type === 'float') {
    return { type: 'float', value: calculateFloats(operator, numberOf(left), numberOf(right)) };
  }
  if (operator === '^' && right.value < 0n) {
    return { type: 'float', value: Number(left.value) ** Number(right.value) };
  }
  const value = calculateIntegers(operator, left.value, right.value);
  if (value === undefined) return NIL;
  return { type: left.type === 'duration' || right.type === 'duration' ? 'duration' : 'int', value };
}

function calculateFloats(operator: ArithmeticOperator, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      return a ** b;
  }
}

/** In 64 bits, wrapping around. */
function calculateIntegers(operator: ArithmeticOperator, a: bigint, b: bigint): bigint | undefined {
  switch (operator) {
    case '+':
      return BigInt.asIntN(64, a + b);
    case '-':
      return BigInt.asIntN(64, a - b);
    case '*':
      return BigInt.asIntN(64, a * b);
    case '/':
      return b === 0n ? undefined : BigInt.asIntN(64, a / b);
    case '%':
      return b === 0n ? undefined : a % b;
    case '^':
      return power(a, b);
  }
}

/** By squaring, because the exponent comes from outside. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let factor = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = BigInt.asIntN(64, result * factor);
    factor = BigInt.asIntN(64, factor * factor);
  }
  return result;
}

export function negate(value: Value): Value {
  switch (value.type) {
    case 'float':
      return { type: 'float', value: -value.value };
    case 'int':
    case 'duration':
      return { type: value.type, value: BigInt.asIntN(64, -value.value) };
    default:
      return NIL;
  }
}

/** The same text for the same value and no other: groups, labels and distinct values go by it. */
export function valueKey(value: Value): string {
  switch (value.type) {
    case 'nil':
      return 'n';
    case 'array':
      return `[${value.values.map((element) => JSON.stringify(valueKey(element))).join()}]`;
    case 'other':
      return `o${value.text}`;
    case 'float':
      return Object.is(value.value, -0) ? 'f0' : `f${value.value}`;
    default:
      return `${value.type}:${String(value.value)}`;
  }
}
