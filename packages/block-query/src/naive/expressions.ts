import type { ComparisonOperator, FieldExpression } from '@vivace/traceql';
import { conjunctionAt, isArithmetic } from './conjunctions.ts';
import { fieldValue, isId, type Subject } from './fields.ts';
import type { NaiveEvent, NaiveLink, NaiveSpan, Value } from './model.ts';
import { bool, compare, compute, isTrue, negated } from './values.ts';

/** Whether a condition holds for a span: it is the bool true, not any other value. */
export function holds(condition: FieldExpression, span: NaiveSpan): boolean {
  return holdsFor(condition, { span });
}

/** The value of an expression for a span. */
export function evaluate(expression: FieldExpression, span: NaiveSpan): Value {
  return valueOf(expression, { span });
}

/** The first event for which all conditions of a group hold. */
export function satisfyingEvent(group: readonly FieldExpression[], span: NaiveSpan): NaiveEvent | undefined {
  return span.events.find((event) => group.every((condition) => holdsFor(condition, { span, event })));
}

export function satisfyingLink(group: readonly FieldExpression[], span: NaiveSpan): NaiveLink | undefined {
  return span.links.find((link) => group.every((condition) => holdsFor(condition, { span, link })));
}

function holdsFor(condition: FieldExpression, subject: Subject): boolean {
  const { span, event, link } = subject;
  // An event or link has been chosen: everything in here is about it.
  if (event !== undefined || link !== undefined) return isTrue(ownValue(condition, subject));
  const parts = conjunctionAt(condition);
  if (parts.event.length > 0 && satisfyingEvent(parts.event, span) === undefined) return false;
  if (parts.link.length > 0 && satisfyingLink(parts.link, span) === undefined) return false;
  // What is no chain is its own only operand.
  return parts.rest.every((operand) =>
    operand === condition ? isTrue(ownValue(operand, subject)) : holdsFor(operand, subject),
  );
}

function valueOf(expression: FieldExpression, subject: Subject): Value {
  return expression.kind === 'binary' && !isArithmetic(expression.operator)
    ? bool(holdsFor(expression, subject))
    : ownValue(expression, subject);
}

/** The value of the outermost operation. */
function ownValue(expression: FieldExpression, subject: Subject): Value {
  switch (expression.kind) {
    case 'static':
      return expression.value;
    case 'attribute':
    case 'intrinsic':
      return fieldValue(expression, subject);
    case 'unary':
      return expression.operator === '!'
        ? bool(!holdsFor(expression.operand, subject))
        : negated(valueOf(expression.operand, subject));
    case 'binary': {
      const { operator, left, right } = expression;
      if (isArithmetic(operator)) return compute(operator, valueOf(left, subject), valueOf(right, subject));
      if (operator === '&&') return bool(holdsFor(left, subject) && holdsFor(right, subject));
      if (operator === '||') return bool(holdsFor(left, subject) || holdsFor(right, subject));
      return bool(comparisonHolds(operator, left, right, subject));
    }
  }
}

function comparisonHolds(
  operator: ComparisonOperator,
  left: FieldExpression,
  right: FieldExpression,
  subject: Subject,
): boolean {
  const nils = [left, right].filter(isNil).length;
  if (nils === 2) return false;
  if (nils === 1) {
    const missing = valueOf(isNil(left) ? right : left, subject).type === 'nil';
    return operator === '=' ? missing : operator === '!=' && !missing;
  }
  const ids = [left, right].some((side) => side.kind === 'intrinsic' && isId(side));
  return compare(operator, valueOf(left, subject), valueOf(right, subject), ids);
}

/** Whether it is the word `nil`. */
export function isNil(expression: FieldExpression): boolean {
  return expression.kind === 'static' && expression.value.type === 'nil';
}
