import type { Field, FieldExpression, Pipeline, Query, SpansetExpression } from '@vivace/traceql';
import type { SpanAnswer } from './answer.ts';
import { conjunctionAt, eventScopeOf, fieldsIn, isArithmetic, isNil } from './conjunction.ts';
import { satisfying, valueOfEvent } from './evaluate.ts';
import type { TraceRows } from './trace-rows.ts';
import type { Value } from './value.ts';

/** A field that the answer shows of each span. */
export interface ShownField {
  field: Field;
  /** It stands in `select()`: all of its values are shown. */
  selected: boolean;
  /** It is compared with `= nil`: that it is missing is shown. */
  missingShown: boolean;
  /** Groups of conditions on one event or link that it stands in. */
  groups: FieldExpression[][];
}

/** Every field that a condition of the query or `select()` names, in the order of first appearance. */
export function shownFields({ pipeline }: Query): ShownField[] {
  const collector = new Collector();
  collector.pipeline(pipeline);
  return [...collector.found.values()];
}

class Collector {
  readonly found = new Map<string, ShownField>();

  pipeline({ stages }: Pipeline): void {
    for (const stage of stages) {
      if (stage.kind === 'select') for (const field of stage.fields) this.#add(field).selected = true;
      else if (stage.kind === 'filter' || stage.kind === 'spanset' || stage.kind === 'pipeline') this.#spanset(stage);
    }
  }

  #spanset(spanset: SpansetExpression): void {
    if (spanset.kind === 'pipeline') this.pipeline(spanset.pipeline);
    else if (spanset.kind === 'spanset') {
      this.#spanset(spanset.left);
      this.#spanset(spanset.right);
    } else if (spanset.expression !== undefined) {
      for (const field of fieldsIn(spanset.expression)) this.#add(field);
      this.#condition(spanset.expression);
      this.#nils(spanset.expression);
    }
  }

  #add(field: Field): ShownField {
    const key = field.kind === 'intrinsic' ? `i ${field.name}` : `a ${field.scope} ${field.name}`;
    let shown = this.found.get(key);
    if (shown === undefined) {
      shown = { field, selected: false, missingShown: false, groups: [] };
      this.found.set(key, shown);
    }
    return shown;
  }

  /** Walks conditions as they are judged: see conjunction.ts. */
  #condition(condition: FieldExpression): void {
    const { event, link, rest } = conjunctionAt(condition);
    for (const group of [event, link]) {
      for (const field of group.flatMap(fieldsIn)) this.#add(field).groups.push(group);
    }
    for (const operand of rest) {
      if (operand !== condition) this.#condition(operand);
      else if (operand.kind === 'binary' && operand.operator === '||') {
        this.#condition(operand.left);
        this.#condition(operand.right);
      } else this.#operands(operand);
    }
  }

  #operands(expression: FieldExpression): void {
    if (expression.kind === 'unary') {
      if (expression.operator === '!') this.#condition(expression.operand);
      else this.#operands(expression.operand);
    } else if (expression.kind === 'binary') {
      for (const side of [expression.left, expression.right]) {
        if (side.kind === 'binary' && !isArithmetic(side.operator)) this.#condition(side);
        else this.#operands(side);
      }
    }
  }

  #nils(expression: FieldExpression): void {
    if (expression.kind === 'unary') this.#nils(expression.operand);
    if (expression.kind !== 'binary') return;
    const sides = [expression.left, expression.right];
    for (const side of sides) this.#nils(side);
    if (expression.operator !== '=' || !sides.some(isNil)) return;
    for (const side of sides) {
      if (side.kind === 'attribute' || side.kind === 'intrinsic') this.#add(side).missingShown = true;
    }
  }
}

export function answerSpan(trace: TraceRows, span: number, fields: readonly ShownField[]): SpanAnswer {
  const source = trace.source(span);
  const row = trace.row(span);
  const answer: SpanAnswer = {
    spanId: source.spanIdOf(row),
    name: undefined,
    startUnixNano: source.startOf(row),
    durationNanos: source.durationOf(row),
    attributes: [],
  };
  for (const shown of fields) {
    const { field } = shown;
    if (field.kind === 'intrinsic' && field.name === 'span:name') answer.name = source.nameOf(row);
    else {
      const value = shownValue(shown, trace, span);
      if (value.type !== 'nil' || shown.missingShown) {
        answer.attributes.push({ key: field.kind === 'intrinsic' ? field.text : field.name, value });
      }
    }
  }
  return answer;
}

/** Of fields of events that stand in conditions, the value of the first event that fulfils them. */
function shownValue({ field, selected, groups }: ShownField, trace: TraceRows, span: number): Value {
  const scope = eventScopeOf(field);
  if (scope !== undefined && !selected) {
    for (const group of groups) {
      const event = satisfying(group, scope, trace, span);
      if (event !== undefined) return valueOfEvent(field, event, trace, span);
    }
  }
  return trace.value(span, field);
}
