import type { FieldExpression, Pipeline, Place, Query, ScalarExpression, SpansetExpression, Stage } from './ast.ts';
import { meaningError } from './parse-error.ts';
import { compilePattern } from './pattern.ts';
import { printFieldExpression } from './print.ts';
import { isNumericType, isRegexOperator, typeHasOperator, typeOf, typesMatch, type ValueType } from './types.ts';

/** Labels that series may be told apart by; functions that need one themselves leave one less. */
const MAX_BY = 5;
/** Different regular expressions of a query: each takes memory of its own while it is matched. */
const MAX_PATTERNS = 200;

/** Throws an `invalid` error where a query reads well but means nothing. `source` is the text it was read from. */
export function validate(query: Query, source: string): void {
  const checker = new Checker(source);
  checker.pipeline(query.pipeline);
  const { metrics } = query;
  if (metrics === undefined) return;
  if (metrics.function === 'compare') {
    checker.spanset(metrics.selection);
    const [second] = query.secondStages;
    if (second !== undefined) throw meaningError(source, second, 'compare() cannot be followed by another stage');
    return;
  }
  const ownsLabel =
    metrics.function === 'avg_over_time' ||
    metrics.function === 'histogram_over_time' ||
    metrics.function === 'quantile_over_time';
  if (metrics.by.length > MAX_BY - (ownsLabel ? 1 : 0)) {
    throw meaningError(source, metrics, `metrics group by ${metrics.by.length} values not yet supported`);
  }
}

/** Throws where a condition on spans is none: a filter of its own, outside of a query. */
export function validateCondition(expression: FieldExpression, source: string): void {
  new Checker(source).condition(expression, expression);
}

class Checker {
  readonly #source: string;
  readonly #patterns = new Set<string>();

  constructor(source: string) {
    this.#source = source;
  }

  #fail(place: Place, message: string): never {
    throw meaningError(this.#source, place, message);
  }

  pipeline({ stages }: Pipeline): void {
    for (const stage of stages) this.#stage(stage);
  }

  #stage(stage: Stage): void {
    switch (stage.kind) {
      case 'by':
        this.#field(stage.expression);
        if (!refersToSpan(stage.expression)) {
          const text = printFieldExpression(stage.expression);
          this.#fail(stage.expression, `grouping field expressions must reference the span: ${text}`);
        }
        return;
      case 'scalar-filter':
        this.#scalar(stage.left);
        this.#scalar(stage.right);
        if (stage.left.kind !== 'aggregate') {
          this.#fail(stage.left, 'scalar filter lhs of type (%v) not yet supported');
        }
        if (stage.right.kind !== 'static') {
          this.#fail(stage.right, 'scalar filter rhs of type (%v) not yet supported');
        }
        return;
      case 'coalesce':
      case 'select':
        return;
      case 'filter':
      case 'spanset':
      case 'pipeline':
        this.spanset(stage);
    }
  }

  spanset(expression: SpansetExpression): void {
    switch (expression.kind) {
      case 'filter':
        if (expression.expression !== undefined) this.condition(expression.expression, expression);
        return;
      case 'spanset':
        this.spanset(expression.left);
        this.spanset(expression.right);
        return;
      case 'pipeline':
        this.pipeline(expression.pipeline);
    }
  }

  condition(expression: FieldExpression, place: Place): void {
    const type = this.#field(expression);
    if (type === 'bool' || type === 'attribute') return;
    const text = printFieldExpression(expression);
    this.#fail(place, `span filter field expressions must resolve to a boolean: ${text}`);
  }

  #scalar(expression: ScalarExpression): void {
    if (expression.kind === 'arithmetic') {
      this.#scalar(expression.left);
      this.#scalar(expression.right);
    }
    if (expression.kind !== 'aggregate' || expression.argument === undefined) return;
    const { argument } = expression;
    const type = this.#field(argument);
    const text = printFieldExpression(argument);
    if (type !== 'attribute' && !isNumericType(type)) {
      this.#fail(argument, `aggregate field expressions must resolve to a number type: ${text}`);
    }
    if (!refersToSpan(argument)) this.#fail(argument, `aggregate field expressions must reference the span: ${text}`);
  }

  /** The type of the expression, once each part of it is right. */
  #field(expression: FieldExpression): ValueType {
    if (expression.kind === 'unary') {
      const type = this.#field(expression.operand);
      const fits = expression.operator === '-' ? isNumericType(type) : type === 'bool';
      if (fits || type === 'attribute') return expression.operator === '!' ? 'bool' : type;
      this.#fail(expression, `illegal operation for the given type: ${printFieldExpression(expression)}`);
    }
    return expression.kind === 'binary' ? this.#binary(expression) : typeOf(expression);
  }

  #binary(expression: FieldExpression & { kind: 'binary' }): ValueType {
    const { operator, left, right } = expression;
    const leftType = this.#field(left);
    const rightType = this.#field(right);
    if ((operator === '=' || operator === '!=') && (leftType === 'nil' || rightType === 'nil')) {
      if (operator === '=') this.#canBeNil(expression, leftType === 'nil' ? right : left);
      return 'bool';
    }
    const text = () => printFieldExpression(expression);
    if (!typesMatch(leftType, rightType)) {
      this.#fail(expression, `binary operations must operate on the same type: ${text()}`);
    }
    if (!typeHasOperator(leftType, operator) || !typeHasOperator(rightType, operator)) {
      this.#fail(expression, `illegal operation for the given types: ${text()}`);
    }
    if (isRegexOperator(operator)) this.#pattern(right, text);
    if (typeOfOperator(operator) === 'bool') return 'bool';
    return leftType === 'attribute' ? rightType : leftType;
  }

  #canBeNil(place: Place, field: FieldExpression): void {
    if (field.kind === 'intrinsic') {
      this.#fail(place, `${field.text}=nil is not valid because intrinsics cannot be nil`);
    }
    if (field.kind === 'attribute' && field.scope === 'resource' && field.name === 'service.name') {
      this.#fail(place, `${field.text}=nil is not valid because ${field.text} cannot be nil`);
    }
  }

  #pattern(right: FieldExpression, text: () => string): void {
    if (right.kind !== 'static' || right.value.type !== 'string') {
      this.#fail(right, `invalid type for =~ or !~: ${text()}`);
    }
    this.#patterns.add(right.value.value);
    if (this.#patterns.size > MAX_PATTERNS) {
      this.#fail(right, `more than ${MAX_PATTERNS} regular expressions in one query`);
    }
    try {
      compilePattern(right.value.value);
    } catch (error) {
      this.#fail(right, `invalid regex: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function typeOfOperator(operator: string): 'bool' | 'number' {
  return typeHasOperator('int', operator) && !typeHasOperator('string', operator) ? 'number' : 'bool';
}

/** Whether the value is another one for another span. */
function refersToSpan(expression: FieldExpression): boolean {
  switch (expression.kind) {
    case 'static':
      return false;
    case 'attribute':
    case 'intrinsic':
      return true;
    case 'unary':
      return refersToSpan(expression.operand);
    case 'binary':
      return refersToSpan(expression.left) || refersToSpan(expression.right);
  }
}
