import type { ComparisonOperator, Field, FieldExpression, Static } from '@vivace/traceql';
import { isArithmetic, isNil, needsWholeTrace } from './conjunction.ts';
import { ALL_FLAGS, PRESENT, verdict } from './value.ts';

/** A field compared with a literal: what is decided once a distinct value. */
export interface LiteralComparison {
  field: Field;
  operator: ComparisonOperator;
  /** Undefined: `= nil` or `!= nil`. */
  literal: Static | undefined;
}

const FLIPPED: Readonly<Partial<Record<ComparisonOperator, ComparisonOperator>>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

/** The comparison with a literal that an expression is; undefined where it is something else. */
export function literalComparison(expression: FieldExpression): LiteralComparison | undefined {
  if (expression.kind !== 'binary') return undefined;
  const { operator, left, right } = expression;
  if (isArithmetic(operator) || operator === '&&' || operator === '||') return undefined;
  if (isField(left) && right.kind === 'static') {
    return { field: left, operator, literal: isNil(right) ? undefined : right.value };
  }
  if (isField(right) && left.kind === 'static' && operator !== '=~' && operator !== '!~') {
    return { field: right, operator: FLIPPED[operator] ?? operator, literal: isNil(left) ? undefined : left.value };
  }
  return undefined;
}

function isField(expression: FieldExpression): expression is FieldExpression & Field {
  return expression.kind === 'attribute' || expression.kind === 'intrinsic';
}

/** Flags of a value (value.ts) → 1 where the comparison holds. */
export function verdictTable({ operator, literal }: LiteralComparison): Uint8Array {
  return Uint8Array.from({ length: ALL_FLAGS + 1 }, (_, flags) => {
    if (literal !== undefined) return verdict(operator, flags) ? 1 : 0;
    const present = (flags & PRESENT) !== 0;
    return (operator === '=' && !present) || (operator === '!=' && present) ? 1 : 0;
  });
}

/** Comparisons of `nestedSetParent`, which is -1 of roots and 0 or more of others: whether they hold of the roots or of the others. */
const ROOT_COMPARISONS = new Map([
  ['<0', true],
  ['<=-1', true],
  ['=-1', true],
  ['!=-1', false],
  ['>=0', false],
  ['>-1', false],
]);

/**
 * Whether a span is a root is known without the rest of its trace: `nestedSetParent < 0` asks only for that. True
 * where the comparison holds of roots, false where it holds of the others, undefined where it asks for more.
 */
export function rootsOf({ field, operator, literal }: LiteralComparison): boolean | undefined {
  if (field.kind !== 'intrinsic' || field.name !== 'nestedSetParent' || literal?.type !== 'int') return undefined;
  return ROOT_COMPARISONS.get(`${operator}${literal.value}`);
}

/** Whether a condition depends on other spans of the trace. */
export function dependsOnTrace(condition: FieldExpression): boolean {
  const comparison = literalComparison(condition);
  if (comparison !== undefined) return needsWholeTrace(comparison.field) && rootsOf(comparison) === undefined;
  switch (condition.kind) {
    case 'static':
      return false;
    case 'attribute':
    case 'intrinsic':
      return needsWholeTrace(condition);
    case 'unary':
      return dependsOnTrace(condition.operand);
    case 'binary':
      return dependsOnTrace(condition.left) || dependsOnTrace(condition.right);
  }
}

/** What conditions cost, roughly: those of few bytes a row first, those that go row by row last. */
export function costOf(expression: FieldExpression): number {
  switch (expression.kind) {
    case 'static':
      return 0;
    case 'unary':
      return costOf(expression.operand);
    case 'attribute':
    case 'intrinsic':
      return 100;
    case 'binary': {
      const comparison = literalComparison(expression);
      if (comparison !== undefined) return costOfField(comparison.field);
      if (expression.operator !== '&&' && expression.operator !== '||') return 100;
      return costOf(expression.left) + costOf(expression.right);
    }
  }
}

function costOfField(field: Field): number {
  if (field.kind === 'attribute') return field.scope === 'resource' ? 2 : field.scope === 'any' ? 8 : 5;
  switch (field.name) {
    case 'span:status':
    case 'span:kind':
      return 1;
    case 'span:name':
      return 3;
    case 'span:duration':
      return 4;
    case 'nestedSetParent':
      return 6;
    default:
      return 50;
  }
}
