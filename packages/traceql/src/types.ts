import type { FieldExpression } from './ast.ts';
import { intrinsicType, type StaticType } from './intrinsics.ts';

/** What an expression gives. The type of an attribute is known only where a span has it. */
export type ValueType = StaticType | 'attribute';

/** Type of an expression that has been checked. */
export function typeOf(expression: FieldExpression): ValueType {
  switch (expression.kind) {
    case 'static':
      return expression.value.type;
    case 'attribute':
      return 'attribute';
    case 'intrinsic':
      return intrinsicType(expression.name);
    case 'unary':
      return expression.operator === '!' ? 'bool' : typeOf(expression.operand);
    case 'binary': {
      if (!isArithmetic(expression.operator)) return 'bool';
      const left = typeOf(expression.left);
      return left === 'attribute' ? typeOf(expression.right) : left;
    }
  }
}

export function isNumericType(type: ValueType): boolean {
  return type === 'int' || type === 'float' || type === 'duration';
}

/** Whether values of the types can be compared with one another or computed with. */
export function typesMatch(left: ValueType, right: ValueType): boolean {
  if (left === right || left === 'attribute' || right === 'attribute') return true;
  return isNumericType(left) && isNumericType(right);
}

const EQUALITY: ReadonlySet<string> = new Set(['=', '!=']);
const ORDER: ReadonlySet<string> = new Set(['<', '<=', '>', '>=']);
const REGEX: ReadonlySet<string> = new Set(['=~', '!~']);
const LOGIC: ReadonlySet<string> = new Set(['&&', '||']);
const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^']);

function isArithmetic(operator: string): boolean {
  return ARITHMETIC.has(operator);
}

export function isRegexOperator(operator: string): boolean {
  return REGEX.has(operator);
}

/** Whether the operator is one for values of the type. */
export function typeHasOperator(type: ValueType, operator: string): boolean {
  switch (type) {
    case 'attribute':
      return true;
    case 'bool':
      return EQUALITY.has(operator) || LOGIC.has(operator);
    case 'int':
    case 'float':
    case 'duration':
      return EQUALITY.has(operator) || ORDER.has(operator) || ARITHMETIC.has(operator);
    case 'string':
      return EQUALITY.has(operator) || ORDER.has(operator) || REGEX.has(operator);
    case 'status':
    case 'kind':
    case 'nil':
      return EQUALITY.has(operator);
  }
}
