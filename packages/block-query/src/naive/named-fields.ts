import type { Field, FieldExpression, Pipeline, Query, SpansetExpression, Stage } from '@vivace/traceql';
import { conjunctionAt, isArithmetic } from './conjunctions.ts';
import { isNil, satisfyingEvent, satisfyingLink } from './expressions.ts';
import { eventScopeOf, fieldValue } from './fields.ts';
import type { NaiveSpan, Value } from './model.ts';

/** A field that the answer shows of each span. */
export interface NamedField {
  field: Field;
  /** It stands in `select()`, so all of its values are shown. */
  selected: boolean;
  /** It is compared with `= nil`, so that it is missing is shown. */
  missingShown: boolean;
  /** The groups of conditions on one event or link that it stands in. */
  groups: FieldExpression[][];
}

/** Every field that a condition of the query or `select()` names, in the order of first appearance. */
export function namedFields(query: Query): NamedField[] {
  const found = new Map<string, NamedField>();
  visitPipeline(query.pipeline);
  return [...found.values()];

  function add(field: Field): NamedField {
    const key = field.kind === 'intrinsic' ? field.name : `${field.scope} ${field.name}`;
    let named = found.get(`${field.kind} ${key}`);
    if (named === undefined) {
      named = { field, selected: false, missingShown: false, groups: [] };
      found.set(`${field.kind} ${key}`, named);
    }
    return named;
  }

  function visitPipeline(pipeline: Pipeline): void {
    for (const stage of pipeline.stages) visitStage(stage);
  }

  function visitStage(stage: Stage): void {
    if (stage.kind === 'select') for (const field of stage.fields) add(field).selected = true;
    else if (stage.kind === 'filter' || stage.kind === 'spanset' || stage.kind === 'pipeline') visitSpanset(stage);
  }

  function visitSpanset(expression: SpansetExpression): void {
    if (expression.kind === 'pipeline') visitPipeline(expression.pipeline);
    else if (expression.kind === 'spanset') {
      visitSpanset(expression.left);
      visitSpanset(expression.right);
    } else if (expression.expression !== undefined) {
      for (const field of fieldsIn(expression.expression)) add(field);
      visitCondition(expression.expression);
      visitNils(expression.expression);
    }
  }

  function visitCondition(condition: FieldExpression): void {
    const parts = conjunctionAt(condition);
    for (const group of [parts.event, parts.link]) {
      for (const field of group.flatMap(fieldsIn)) add(field).groups.push(group);
    }
    for (const operand of parts.rest) {
      if (operand !== condition) visitCondition(operand);
      else if (operand.kind === 'binary' && operand.operator === '||') {
        visitCondition(operand.left);
        visitCondition(operand.right);
      } else visitValue(operand);
    }
  }

  /** Conditions within values: `(event.a = 1) = true`. */
  function visitValue(expression: FieldExpression): void {
    if (expression.kind === 'unary') {
      if (expression.operator === '!') visitCondition(expression.operand);
      else visitValue(expression.operand);
    } else if (expression.kind === 'binary') {
      for (const side of [expression.left, expression.right]) {
        if (side.kind === 'binary' && !isArithmetic(side.operator)) visitCondition(side);
        else visitValue(side);
      }
    }
  }

  function visitNils(expression: FieldExpression): void {
    if (expression.kind === 'unary') visitNils(expression.operand);
    if (expression.kind !== 'binary') return;
    for (const side of [expression.left, expression.right]) visitNils(side);
    if (expression.operator !== '=') return;
    const sides = [expression.left, expression.right];
    if (!sides.some(isNil)) return;
    for (const side of sides) if (side.kind === 'attribute' || side.kind === 'intrinsic') add(side).missingShown = true;
  }
}

function fieldsIn(expression: FieldExpression): Field[] {
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

/**
 * The value that is shown; nil where there is none. A field of events that stands in conditions is shown of the
 * first event that fulfils them.
 */
export function shownValue({ field, selected, groups }: NamedField, span: NaiveSpan): Value {
  const scope = eventScopeOf(field);
  if (scope !== undefined && !selected) {
    for (const group of groups) {
      if (scope === 'event') {
        const event = satisfyingEvent(group, span);
        if (event !== undefined) return fieldValue(field, { span, event });
      } else {
        const link = satisfyingLink(group, span);
        if (link !== undefined) return fieldValue(field, { span, link });
      }
    }
  }
  return fieldValue(field, { span });
}
