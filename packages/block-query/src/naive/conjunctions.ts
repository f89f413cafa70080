import type { ArithmeticOperator, BinaryOperator, FieldExpression } from '@vivace/traceql';
import { type EventScope, eventScopeOf } from './fields.ts';

/**
 * Conditions on events (and on links) that stand in one chain of `&&` are judged together, on one event: in
 * `{ event.a = 1 && span.b = 2 && event.c = 3 }` some event has both. A condition for this is a comparison, or a
 * bare field, whose fields are all of events; several may be joined by `&&` and `||`. A single condition is a
 * chain of one.
 */
export interface Conjunction {
  event: FieldExpression[];
  link: FieldExpression[];
  rest: FieldExpression[];
}

/** The operands of the `&&` chain that starts at an expression, sorted by what they are judged on. */
export function conjunctionAt(expression: FieldExpression): Conjunction {
  const parts: Conjunction = { event: [], link: [], rest: [] };
  for (const operand of operandsOf(expression)) parts[judgedOn(operand) ?? 'rest'].push(operand);
  return parts;
}

function operandsOf(expression: FieldExpression): FieldExpression[] {
  if (expression.kind !== 'binary' || expression.operator !== '&&') return [expression];
  return [...operandsOf(expression.left), ...operandsOf(expression.right)];
}

/** What all of a condition is about; undefined where it is no such condition. */
function judgedOn(expression: FieldExpression): EventScope | undefined {
  if (expression.kind === 'attribute' || expression.kind === 'intrinsic') return eventScopeOf(expression);
  if (expression.kind !== 'binary') return undefined;
  const { operator, left, right } = expression;
  if (operator === '&&' || operator === '||') {
    const scope = judgedOn(left);
    return scope === judgedOn(right) ? scope : undefined;
  }
  const scopes = new Set<EventScope | undefined>();
  if (!collectScopes(left, scopes) || !collectScopes(right, scopes)) return undefined;
  return scopes.size === 1 ? [...scopes][0] : undefined;
}

/** False where the operand of a comparison is itself a condition. */
function collectScopes(operand: FieldExpression, scopes: Set<EventScope | undefined>): boolean {
  switch (operand.kind) {
    case 'static':
      return true;
    case 'attribute':
    case 'intrinsic':
      scopes.add(eventScopeOf(operand));
      return true;
    case 'unary':
      return operand.operator === '-' && collectScopes(operand.operand, scopes);
    case 'binary':
      return (
        isArithmetic(operand.operator) && collectScopes(operand.left, scopes) && collectScopes(operand.right, scopes)
      );
  }
}

export function isArithmetic(operator: BinaryOperator): operator is ArithmeticOperator {
  return ['+', '-', '*', '/', '%', '^'].includes(operator);
}
