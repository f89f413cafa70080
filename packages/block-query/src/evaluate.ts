import type { ComparisonOperator, Field, FieldExpression } from '@vivace/traceql';
import { EVENT_ROW, LINK_ROW } from './batch-rows.ts';
import { conjunctionAt, type EventScope, eventScopeOf, isArithmetic, isNil } from './conjunction.ts';
import { type LiteralTest, literalTest } from './literal-test.ts';
import type { TraceRows } from './trace-rows.ts';
import {
  calculate,
  compareFlags,
  FALSE,
  isTrue,
  negate,
  positiveOperator,
  TRUE,
  type Value,
  verdict,
} from './value.ts';

/**
 * Expressions for one span after the other: what is left when whole columns have been scanned (span-scan.ts), and
 * traces that lie in several batches.
 */

/** A span, and within a group of conditions on events or links one of those. */
interface Subject {
  trace: TraceRows;
  span: number;
  event?: number;
  scope?: EventScope;
}

/** Whether a condition holds of a span: it is the bool true. */
export function holdsOf(condition: FieldExpression, trace: TraceRows, span: number): boolean {
  return holdsFor(condition, { trace, span });
}

export function evaluate(expression: FieldExpression, trace: TraceRows, span: number): Value {
  return valueFor(expression, { trace, span });
}

/** Row of the first event (or link) of which all conditions of a group hold; undefined where there is none. */
export function satisfying(
  group: readonly FieldExpression[],
  scope: EventScope,
  trace: TraceRows,
  span: number,
): number | undefined {
  const events = trace.source(span).eventRows(trace.row(span), scope === 'link' ? LINK_ROW : EVENT_ROW);
  return events.find((event) => group.every((condition) => holdsFor(condition, { trace, span, event, scope })));
}

/** Value of a field of one event or link. */
export function valueOfEvent(field: Field, event: number, trace: TraceRows, span: number): Value {
  return trace.source(span).eventValue(event, trace.row(span), field);
}

function holdsFor(condition: FieldExpression, subject: Subject): boolean {
  // All of it is about the event that was chosen.
  if (subject.event !== undefined) return isTrue(ownValue(condition, subject));
  const { trace, span } = subject;
  const parts = conjunctionAt(condition);
  if (parts.event.length > 0 && satisfying(parts.event, 'event', trace, span) === undefined) return false;
  if (parts.link.length > 0 && satisfying(parts.link, 'link', trace, span) === undefined) return false;
  return parts.rest.every((operand) =>
    operand === condition ? isTrue(ownValue(operand, subject)) : holdsFor(operand, subject),
  );
}

function valueFor(expression: FieldExpression, subject: Subject): Value {
  if (expression.kind === 'binary' && !isArithmetic(expression.operator)) {
    return holdsFor(expression, subject) ? TRUE : FALSE;
  }
  return ownValue(expression, subject);
}

function ownValue(expression: FieldExpression, subject: Subject): Value {
  switch (expression.kind) {
    case 'static':
      return expression.value;
    case 'attribute':
    case 'intrinsic':
      return fieldValue(expression, subject);
    case 'unary':
      if (expression.operator === '-') return negate(valueFor(expression.operand, subject));
      return holdsFor(expression.operand, subject) ? FALSE : TRUE;
    case 'binary': {
      const { operator, left, right } = expression;
      if (isArithmetic(operator)) return calculate(operator, valueFor(left, subject), valueFor(right, subject));
      const held =
        operator === '&&'
          ? holdsFor(left, subject) && holdsFor(right, subject)
          : operator === '||'
            ? holdsFor(left, subject) || holdsFor(right, subject)
            : compares(operator, left, right, subject);
      return held ? TRUE : FALSE;
    }
  }
}

function fieldValue(field: Field, { trace, span, event, scope }: Subject): Value {
  if (event !== undefined && eventScopeOf(field) === scope) return valueOfEvent(field, event, trace, span);
  return trace.value(span, field);
}

function compares(
  operator: ComparisonOperator,
  left: FieldExpression,
  right: FieldExpression,
  subject: Subject,
): boolean {
  if (isNil(left) || isNil(right)) {
    if (isNil(left) && isNil(right)) return false;
    const missing = valueFor(isNil(left) ? right : left, subject).type === 'nil';
    return operator === '=' ? missing : operator === '!=' && !missing;
  }
  const a = valueFor(left, subject);
  if (operator === '=~' || operator === '!~') return verdict(operator, patternOf(operator, right).ofValue(a));
  const b = valueFor(right, subject);
  const positive = positiveOperator(operator);
  const ids = isId(left) || isId(right);
  return verdict(operator, ids ? compareFlags(positive, normalId(a), normalId(b)) : compareFlags(positive, a, b));
}

const patterns = new WeakMap<FieldExpression, LiteralTest>();

function patternOf(operator: ComparisonOperator, right: FieldExpression): LiteralTest {
  let test = patterns.get(right);
  if (test === undefined) {
    test = literalTest(operator, right.kind === 'static' ? right.value : { type: 'nil' });
    patterns.set(right, test);
  }
  return test;
}

/** Whether the values of an expression are ids, of which leading zeros and the case of digits do not count. */
export function isId(expression: FieldExpression): boolean {
  if (expression.kind !== 'intrinsic') return false;
  switch (expression.name) {
    case 'trace:id':
    case 'span:id':
    case 'span:parentID':
    case 'link:traceID':
    case 'link:spanID':
      return true;
    default:
      return false;
  }
}

/** Ids of any length in the order of the numbers that they are. */
function normalId(value: Value): Value {
  if (value.type === 'array') return { type: 'array', values: value.values.map(normalId) };
  if (value.type !== 'string') return value;
  return { type: 'string', value: value.value.toLowerCase().replace(/^0+/, '').padStart(32, '0') };
}
