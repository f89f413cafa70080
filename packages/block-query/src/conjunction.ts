import type { ArithmeticOperator, BinaryOperator, Field, FieldExpression } from '@vivace/traceql';

/** Fields that a span has many of: those of events, or those of links. */
export type EventScope = 'event' | 'link';

export function eventScopeOf(field: Field): EventScope | undefined {
  if (field.kind === 'attribute') {
    return field.scope === 'event' || field.scope === 'link' ? field.scope : undefined;
  }
  if (field.name.startsWith('event:')) return 'event';
  return field.name.startsWith('link:') ? 'link' : undefined;
}

/** Whether a field depends on more than the span: on other spans of its trace. */
export function needsWholeTrace(field: Field): boolean {
  if (field.kind !== 'intrinsic') return false;
  switch (field.name) {
    case 'trace:duration':
    case 'trace:rootName':
    case 'trace:rootService':
    case 'span:childCount':
    case 'nestedSetLeft':
    case 'nestedSetRight':
    case 'nestedSetParent':
      return true;
    default:
      return false;
  }
}

/** Operands of a chain of `&&`, sorted by what they are judged on: conditions on events are judged together, on one event. */
export interface Conjunction {
  event: FieldExpression[];
  link: FieldExpression[];
  rest: FieldExpression[];
}

const known = new WeakMap<FieldExpression, Conjunction>();

export function conjunctionAt(expression: FieldExpression): Conjunction {
  let parts = known.get(expression);
  if (parts === undefined) {
    parts = { event: [], link: [], rest: [] };
    for (const operand of operandsOf(expression)) parts[judgedOn(operand) ?? 'rest'].push(operand);
    known.set(expression, parts);
  }
  return parts;
}

function operandsOf(expression: FieldExpression): FieldExpression[] {
  if (expression.kind !== 'binary' || expression.operator !== '&&') return [expression];
  return [...operandsOf(expression.left), ...operandsOf(expression.right)];
}

/** What a condition is about: a comparison or bare field of one of the scopes, or several joined by `&&` and `||`. */
function judgedOn(expression: FieldExpression): EventScope | undefined {
  if (expression.kind === 'attribute' || expression.kind === 'intrinsic') return eventScopeOf(expression);
  if (expression.kind !== 'binary') return undefined;
  const { operator, left, right } = expression;
  if (operator === '&&' || operator === '||') {
    const scope = judgedOn(left);
    return scope !== undefined && scope === judgedOn(right) ? scope : undefined;
  }
  const scopes = new Set([...fieldsIn(left), ...fieldsIn(right)].map(eventScopeOf));
  const [scope] = scopes;
  return scopes.size === 1 && !holdsCondition(left) && !holdsCondition(right) ? scope : undefined;
}

/** Whether an operand of a comparison is, or has in it, a condition of its own. */
function holdsCondition(operand: FieldExpression): boolean {
  if (operand.kind === 'unary') return operand.operator === '!' || holdsCondition(operand.operand);
  if (operand.kind !== 'binary') return false;
  return !isArithmetic(operand.operator) || holdsCondition(operand.left) || holdsCondition(operand.right);
}

export function isArithmetic(operator: BinaryOperator): operator is ArithmeticOperator {
  return '+-*/%^'.includes(operator);
}

export function isNil(expression: FieldExpression): boolean {
  return expression.kind === 'static' && expression.value.type === 'nil';
}

export function fieldsIn(expression: FieldExpression): Field[] {
  switch (expression.kind) {
    case 'static':
      return [];
    case 'attribute':
    case 'intrinsic':
      return [expression];
    case 'unary':
      return fieldsIn(expression.operand);
    case 'binary':
      return [...fieldsIn(expression.left), ...fieldsIn(expression.right)];
  }
}
