import type {
  ArithmeticOperator,
  BinaryOperator,
  ComparisonOperator,
  LogicalOperator,
  StructuralOperator,
} from './ast.ts';

/**
 * How tightly operators bind, the loosest first. Those of one level are taken from the left, powers from the right.
 * `&&` binds no tighter than `||`.
 */
const LEVEL = { logical: 1, comparison: 2, sum: 3, not: 4, product: 5, power: 6 } as const;

export const LOOSEST = LEVEL.logical;
/** The loosest of the operators that compute numbers. */
export const LOOSEST_ARITHMETIC = LEVEL.sum;
/** Binds tighter than any operator. */
export const TIGHTEST = LEVEL.power + 1;

const LOGICAL: readonly LogicalOperator[] = ['&&', '||'];
const COMPARISON: readonly ComparisonOperator[] = ['=', '!=', '<', '<=', '>', '>=', '=~', '!~'];
const STRUCTURAL: readonly StructuralOperator[] = [
  ...(['>', '<', '>>', '<<', '~', '!>', '!<', '!>>', '!<<', '!~'] as const),
  ...(['&>', '&<', '&>>', '&<<', '&~'] as const),
];

function levels<T extends string>(
  ...rows: [readonly T[], number][]
): ReadonlyMap<string, { operator: T; level: number }> {
  return new Map(rows.flatMap(([operators, level]) => operators.map((operator) => [operator, { operator, level }])));
}

const ARITHMETIC_ROWS: [readonly ArithmeticOperator[], number][] = [
  [['+', '-'], LEVEL.sum],
  [['*', '/', '%'], LEVEL.product],
  [['^'], LEVEL.power],
];

/** Between the fields of a span. */
export const FIELD_OPERATORS = levels<BinaryOperator>(
  [LOGICAL, LEVEL.logical],
  [COMPARISON, LEVEL.comparison],
  ...ARITHMETIC_ROWS,
);
/** Between sets of spans. */
export const SPANSET_OPERATORS = levels<LogicalOperator | StructuralOperator>(
  [LOGICAL, LEVEL.logical],
  [STRUCTURAL, LEVEL.comparison],
);
/** Between numbers of a set of spans. */
export const SCALAR_OPERATORS = levels<ArithmeticOperator>(...ARITHMETIC_ROWS);

/** An operator before its operand takes all that binds tighter than it: `-a * b` is `-(a * b)`, `!a + b` is `(!a) + b`. */
export const PREFIX_LEVELS: ReadonlyMap<string, { operator: '-' | '!'; level: number }> = new Map([
  ['-', { operator: '-', level: LEVEL.sum }],
  ['!', { operator: '!', level: LEVEL.not }],
]);

/** The loosest level that the right operand of an operator may have without parentheses. */
export function rightLevel(level: number): number {
  return level === LEVEL.power ? level : level + 1;
}

/** The loosest level that the left operand may have. */
export function leftLevel(level: number): number {
  return level === LEVEL.power ? level + 1 : level;
}

const NUMBER_COMPARISONS = ['=', '!=', '<', '<=', '>', '>='] as const;
export type NumberComparison = (typeof NUMBER_COMPARISONS)[number];

/** The operator, if it compares numbers. */
export function numberComparison(text: string): NumberComparison | undefined {
  return NUMBER_COMPARISONS.find((operator) => operator === text);
}
