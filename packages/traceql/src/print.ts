import type {
  Field,
  FieldExpression,
  MetricsStage,
  Pipeline,
  Query,
  ScalarExpression,
  SecondStage,
  SpansetExpression,
  Stage,
  Static,
} from './ast.ts';
import { formatDuration } from './duration.ts';
import {
  FIELD_OPERATORS,
  LOOSEST,
  leftLevel,
  PREFIX_LEVELS,
  rightLevel,
  SCALAR_OPERATORS,
  SPANSET_OPERATORS,
  TIGHTEST,
} from './operators.ts';
import { quote } from './string-literal.ts';

const MIN_INT = -(1n << 63n);

/** The query in its normal form: one space around operators, no needless parentheses. It reads as the same query. */
export function printQuery(query: Query): string {
  const parts = [printPipeline(query.pipeline)];
  if (query.metrics !== undefined) parts.push('|', printMetrics(query.metrics));
  parts.push(...query.secondStages.map(printSecondStage));
  const hints = query.hints.map(({ name, value }) => `${name}=${printStatic(value)}`);
  if (hints.length > 0) parts.push(`with(${hints.join(', ')})`);
  return parts.join(' ');
}

function printPipeline({ stages }: Pipeline): string {
  return stages.map(printStage).join(' | ');
}

/** A stage as it stands between `|`. */
export function printStage(stage: Stage): string {
  switch (stage.kind) {
    case 'by':
      return `by(${printFieldExpression(stage.expression)})`;
    case 'coalesce':
      return 'coalesce()';
    case 'select':
      return `select(${printFields(stage.fields)})`;
    case 'scalar-filter':
      return `${printScalar(stage.left)} ${stage.operator} ${printScalar(stage.right)}`;
    case 'filter':
    case 'spanset':
    case 'pipeline':
      return printSpanset(stage, LOOSEST);
  }
}

function printSpanset(expression: SpansetExpression, loosest: number): string {
  switch (expression.kind) {
    case 'filter':
      return expression.expression === undefined ? '{ }' : `{ ${printFieldExpression(expression.expression)} }`;
    case 'pipeline':
      return `(${printPipeline(expression.pipeline)})`;
    case 'spanset': {
      const { operator, left, right } = expression;
      const level = SPANSET_OPERATORS.get(operator)?.level ?? LOOSEST;
      const sides = [printSpanset(left, leftLevel(level)), printSpanset(right, rightLevel(level))];
      return inParentheses(sides.join(` ${operator} `), level < loosest);
    }
  }
}

/** An expression over the fields of a span. */
export function printFieldExpression(expression: FieldExpression): string {
  return printField(expression, LOOSEST);
}

function printField(expression: FieldExpression, loosest: number): string {
  switch (expression.kind) {
    case 'static': {
      const text = printStatic(expression.value);
      return inParentheses(text, text.startsWith('-') && (PREFIX_LEVELS.get('-')?.level ?? 0) < loosest);
    }
    case 'attribute':
    case 'intrinsic':
      return expression.text;
    case 'unary': {
      const level = PREFIX_LEVELS.get(expression.operator)?.level ?? LOOSEST;
      const operand = printField(expression.operand, level + 1);
      return inParentheses(expression.operator + operand, level < loosest);
    }
    case 'binary': {
      const { operator, left, right } = expression;
      const level = FIELD_OPERATORS.get(operator)?.level ?? LOOSEST;
      // A name goes on until a blank or one of some characters: the blank behind it keeps it apart.
      const sides = [printField(left, leftLevel(level)), printField(right, rightLevel(level))];
      return inParentheses(sides.join(` ${operator} `), level < loosest);
    }
  }
}

/** A number of a set of spans: `count()`, `avg(duration)`. */
export function printScalar(expression: ScalarExpression): string {
  return printNumber(expression, LOOSEST);
}

function printNumber(expression: ScalarExpression, loosest: number): string {
  switch (expression.kind) {
    case 'static':
      return printStatic(expression.value);
    case 'aggregate': {
      const { argument } = expression;
      return `${expression.function}(${argument === undefined ? '' : printFieldExpression(argument)})`;
    }
    case 'arithmetic': {
      const { operator, left, right } = expression;
      const level = SCALAR_OPERATORS.get(operator)?.level ?? TIGHTEST;
      const sides = [printNumber(left, leftLevel(level)), printNumber(right, rightLevel(level))];
      return inParentheses(sides.join(` ${operator} `), level < loosest);
    }
  }
}

function printMetrics(metrics: MetricsStage): string {
  switch (metrics.function) {
    case 'compare': {
      const { selection, top, start, end } = metrics;
      const times = start === undefined || end === undefined ? '' : `, ${start}, ${end}`;
      return `compare(${printSpanset(selection, LOOSEST)}, ${top}${times})`;
    }
    case 'rate':
    case 'count_over_time':
      return `${metrics.function}()${printBy(metrics.by)}`;
    case 'min_over_time':
    case 'max_over_time':
    case 'avg_over_time':
    case 'sum_over_time':
    case 'histogram_over_time':
      return `${metrics.function}(${metrics.field.text})${printBy(metrics.by)}`;
    case 'quantile_over_time': {
      const quantiles = metrics.quantiles.map(String).join(', ');
      return `${metrics.function}(${metrics.field.text}, ${quantiles})${printBy(metrics.by)}`;
    }
  }
}

function printBy(by: Field[]): string {
  return by.length === 0 ? '' : ` by(${printFields(by)})`;
}

function printFields(fields: Field[]): string {
  return fields.map((field) => field.text).join(', ');
}

function printSecondStage(stage: SecondStage): string {
  if (stage.kind === 'metrics-filter') return `${stage.operator} ${printStatic(stage.value)}`;
  return `| ${stage.kind}(${stage.limit})`;
}

/** A value as it is written in a query. */
export function printStatic(value: Static): string {
  switch (value.type) {
    case 'nil':
      return 'nil';
    case 'string':
      return quote(value.value);
    case 'bool':
    case 'status':
    case 'kind':
      return String(value.value);
    case 'int':
      return value.value === MIN_INT ? 'minInt' : String(value.value);
    case 'float':
      return printFloat(value.value);
    case 'duration':
      return formatDuration(value.value);
  }
}

/** With a point or an exponent, so that it is no integer. */
function printFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function inParentheses(text: string, needed: boolean): string {
  return needed ? `(${text})` : text;
}
