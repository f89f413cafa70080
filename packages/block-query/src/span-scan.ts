import type { ComparisonOperator, Field, FieldExpression, Static } from '@vivace/traceql';
import { type BatchRows, EVENT_ROW, LINK_ROW } from './batch-rows.ts';
import { eachTrace, eventFlags, spanFlags } from './column-flags.ts';
import { conjunctionAt, type EventScope, fieldsIn, isArithmetic, isNil, needsWholeTrace } from './conjunction.ts';
import { holdsOf, isId, satisfying } from './evaluate.ts';
import { literalTest } from './literal-test.ts';
import { TraceRows } from './trace-rows.ts';
import { ALL_FLAGS, holds, isTrue, kindValue, numberOf, PRESENT, statusValue, type Value, verdict } from './value.ts';

// Hot path: conditions for all rows of a batch. A comparison with a literal is decided once a dictionary entry and
// then by code; what is no such comparison goes row by row (evaluate.ts). Benchmark: `npm run bench -- micro`.

/**
 * `exact`: the traces of the batch are whole. `possible`: it has parts of traces, and what depends on the other parts is
 * not known; the result then has every row for which the condition may hold.
 */
export type Knowledge = 'exact' | 'possible';

/** One byte a row: 1 where the condition holds. What dead rows have is undefined. */
export function scanRows(
  source: BatchRows,
  condition: FieldExpression | undefined,
  knowledge: Knowledge,
): Uint8Array<ArrayBuffer> {
  if (condition === undefined) return new Uint8Array(source.batch.rows).fill(1);
  return new SpanScan(source, knowledge).condition(condition, true, undefined);
}

type Rows = Uint8Array<ArrayBuffer>;

/** A field compared with a literal. */
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

class SpanScan {
  readonly #source: BatchRows;
  readonly #knowledge: Knowledge;
  readonly #rows: number;

  constructor(source: BatchRows, knowledge: Knowledge) {
    this.#source = source;
    this.#knowledge = knowledge;
    this.#rows = source.batch.rows;
  }

  /**
   * `positive`: whether the whole holds where this does, rather than where it does not; it decides what is taken for
   * possible. Rows that are not `wanted` need no right answer.
   */
  condition(condition: FieldExpression, positive: boolean, wanted: Rows | undefined): Rows {
    const { rest, event, link } = conjunctionAt(condition);
    let result: Rows | undefined;
    const and = (more: Rows): boolean => {
      if (result === undefined) result = more;
      else for (let row = 0; row < more.length; row++) result[row] = (result[row] as number) & (more[row] as number);
      return result.includes(1);
    };
    // The cheap first: what no row fulfils ends it.
    for (const operand of rest.length > 1 ? [...rest].sort((a, b) => costOf(a) - costOf(b)) : rest) {
      const rows: Rows =
        operand === condition
          ? this.#own(operand, positive, wanted)
          : this.condition(operand, positive, result ?? wanted);
      if (!and(rows)) return rows.fill(0);
    }
    if (event.length > 0 && !and(this.#eventGroup(event, 'event'))) return new Uint8Array(this.#rows);
    if (link.length > 0) and(this.#eventGroup(link, 'link'));
    return result ?? new Uint8Array(this.#rows).fill(1);
  }

  #own(expression: FieldExpression, positive: boolean, wanted: Rows | undefined): Rows {
    if (expression.kind === 'static') return new Uint8Array(this.#rows).fill(isTrue(expression.value) ? 1 : 0);
    if (expression.kind === 'unary' && expression.operator === '!') {
      const rows = this.condition(expression.operand, !positive, wanted);
      for (let row = 0; row < rows.length; row++) rows[row] = (rows[row] as number) ^ 1;
      return rows;
    }
    if (expression.kind === 'binary' && expression.operator === '||') {
      const rows = this.condition(expression.left, positive, wanted);
      const right = this.condition(expression.right, positive, wanted);
      for (let row = 0; row < rows.length; row++) rows[row] = (rows[row] as number) | (right[row] as number);
      return rows;
    }
    const comparison = literalComparison(expression);
    const known = comparison && this.#rootComparison(comparison);
    if (known !== undefined) return known;
    if (this.#knowledge === 'possible' && fieldsIn(expression).some(needsWholeTrace)) {
      return new Uint8Array(this.#rows).fill(positive ? 1 : 0);
    }
    return (comparison && this.#comparison(comparison)) ?? this.#rowByRow(expression, wanted);
  }

  /** Undefined for what has no column. */
  #comparison({ field, operator, literal }: LiteralComparison): Rows | undefined {
    const { batch } = this.#source;
    if (field.kind === 'intrinsic') {
      if (isId(field)) return undefined;
      if (field.name === 'span:duration') return this.#durations(operator, literal);
      if (field.name === 'span:status') return this.#numbers(batch.status(), statusValue, operator, literal);
      if (field.name === 'span:kind') return this.#numbers(batch.kind(), kindValue, operator, literal);
    }
    const flags = spanFlags(this.#source, field, literalTest(operator, literal)) as Rows | undefined;
    if (flags === undefined) return undefined;
    const verdicts = verdictTable(operator, literal);
    for (let row = 0; row < flags.length; row++) flags[row] = verdicts[flags[row] as number] as number;
    return flags;
  }

  #numbers(
    numbers: Uint8Array,
    valueFor: (number: number) => Value,
    operator: ComparisonOperator,
    literal: Static | undefined,
  ): Rows {
    const test = literalTest(operator, literal);
    const flags = verdictTable(operator, literal);
    const verdicts = Uint8Array.from({ length: 256 }, (_, n) => flags[test.ofValue(valueFor(n))] as number);
    const rows = new Uint8Array(this.#rows);
    for (let row = 0; row < rows.length; row++) rows[row] = verdicts[numbers[row] as number] as number;
    return rows;
  }

  /** Undefined for numbers that a double does not hold exactly, and for what is no number. */
  #durations(operator: ComparisonOperator, literal: Static | undefined): Rows | undefined {
    const numeric = literal?.type === 'int' || literal?.type === 'float' || literal?.type === 'duration';
    if (literal === undefined || !numeric) return undefined;
    const bound = numberOf(literal);
    if (literal.type !== 'float' && !Number.isSafeInteger(bound)) return undefined;
    const { batch } = this.#source;
    const start = batch.start();
    const end = batch.end();
    const rows = new Uint8Array(this.#rows);
    const negative = operator === '!=';
    const least = operator === '>' || operator === '>=';
    for (let row = 0; row < rows.length; row++) {
      const difference =
        ((end[2 * row + 1] as number) - (start[2 * row + 1] as number)) * 4294967296 +
        ((end[2 * row] as number) - (start[2 * row] as number));
      // 2^53 ns are 104 days: beyond, all that is sure is that it is larger than the bound, which is below that.
      const duration = difference < 0 ? 0 : difference;
      if (least) rows[row] = duration > bound || (operator === '>=' && duration === bound) ? 1 : 0;
      else rows[row] = holds(negative ? '=' : operator, duration, bound) !== negative ? 1 : 0;
    }
    return rows;
  }

  #rootComparison(comparison: LiteralComparison): Rows | undefined {
    const roots = rootsOf(comparison);
    if (roots === undefined) return undefined;
    const ids = this.#source.batch.parentIds();
    const rows = new Uint8Array(this.#rows);
    for (let row = 0; row < rows.length; row++) {
      let isRoot = true;
      for (let at = 8 * row; at < 8 * row + 8; at++) if (ids[at] !== 0) isRoot = false;
      rows[row] = isRoot === roots ? 1 : 0;
    }
    return rows;
  }

  #eventGroup(group: readonly FieldExpression[], scope: EventScope): Rows {
    const { batch } = this.#source;
    const rows = new Uint8Array(this.#rows);
    if (batch.eventRows === 0) return rows;
    const events = this.#events(group, scope);
    if (events === undefined) {
      this.#eachRow(false, undefined, (trace, i) => {
        if (satisfying(group, scope, trace, i) !== undefined) rows[trace.row(i)] = 1;
      });
      return rows;
    }
    const spans = batch.eventSpan();
    const kinds = batch.eventKind();
    const kind = scope === 'link' ? LINK_ROW : EVENT_ROW;
    for (let event = 0; event < events.length; event++) {
      if (events[event] === 1 && kinds[event] === kind) rows[spans[event] as number] = 1;
    }
    return rows;
  }

  /** Event rows that fulfil all conditions; undefined where one of them is not a comparison of a column with a literal. */
  #events(group: readonly FieldExpression[], scope: EventScope): Rows | undefined {
    let result: Rows | undefined;
    for (const condition of group) {
      const rows = this.#eventCondition(condition, scope);
      if (rows === undefined) return undefined;
      if (result === undefined) result = rows;
      else for (let row = 0; row < rows.length; row++) result[row] = (result[row] as number) & (rows[row] as number);
    }
    return result;
  }

  #eventCondition(condition: FieldExpression, scope: EventScope): Rows | undefined {
    if (condition.kind === 'binary' && condition.operator === '&&') {
      return this.#events([condition.left, condition.right], scope);
    }
    if (condition.kind === 'binary' && condition.operator === '||') {
      const rows = this.#eventCondition(condition.left, scope);
      const right = this.#eventCondition(condition.right, scope);
      if (rows === undefined || right === undefined) return undefined;
      for (let row = 0; row < rows.length; row++) rows[row] = (rows[row] as number) | (right[row] as number);
      return rows;
    }
    const comparison = literalComparison(condition);
    if (comparison === undefined || isId(comparison.field)) return undefined;
    const { field, operator, literal } = comparison;
    const flags = eventFlags(this.#source, field, literalTest(operator, literal)) as Rows;
    const verdicts = verdictTable(operator, literal);
    for (let row = 0; row < flags.length; row++) flags[row] = verdicts[flags[row] as number] as number;
    return flags;
  }

  #rowByRow(expression: FieldExpression, wanted: Rows | undefined): Rows {
    const rows = new Uint8Array(this.#rows);
    const byTrace = fieldsIn(expression).some((field) => needsWholeTrace(field) || isTraceId(field));
    this.#eachRow(byTrace, wanted, (trace, i) => {
      if (holdsOf(expression, trace, i)) rows[trace.row(i)] = 1;
    });
    return rows;
  }

  #eachRow(byTrace: boolean, wanted: Rows | undefined, use: (trace: TraceRows, i: number) => void): void {
    const all = (trace: TraceRows) => {
      for (let i = 0; i < trace.count; i++) if (wanted === undefined || wanted[trace.row(i)] === 1) use(trace, i);
    };
    if (byTrace) eachTrace(this.#source, all);
    else
      all(
        new TraceRows(
          () => NO_TRACE,
          this.#source,
          Int32Array.from({ length: this.#rows }, (_, row) => row),
        ),
      );
  }
}

function isTraceId(field: Field): boolean {
  return field.kind === 'intrinsic' && field.name === 'trace:id';
}

/** Of rows that are looked at as if they were of one trace, because nothing is asked of it. */
const NO_TRACE = new Uint8Array(16);

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
function rootsOf({ field, operator, literal }: LiteralComparison): boolean | undefined {
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

/** Flags → whether the comparison holds. */
function verdictTable(operator: ComparisonOperator, literal: Static | undefined): Uint8Array {
  return Uint8Array.from({ length: ALL_FLAGS + 1 }, (_, flags) => {
    if (literal !== undefined) return verdict(operator, flags) ? 1 : 0;
    const present = (flags & PRESENT) !== 0;
    return (operator === '=' && !present) || (operator === '!=' && present) ? 1 : 0;
  });
}

/** What conditions cost, roughly: those of few bytes a row first, those that go row by row last. */
function costOf(expression: FieldExpression): number {
  switch (expression.kind) {
    case 'static':
      return 0;
    case 'unary':
      return costOf(expression.operand);
    case 'attribute':
      return 100;
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
