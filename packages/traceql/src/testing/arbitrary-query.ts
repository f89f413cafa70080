import fc from 'fast-check';
import type {
  AttributeScope,
  BinaryOperator,
  Field,
  FieldExpression,
  Hint,
  Intrinsic,
  MetricsStage,
  Query,
  ScalarExpression,
  SecondStage,
  SpansetExpression,
  Stage,
  Static,
} from '../ast.ts';
import { INTRINSIC_TEXTS, KINDS, STATUSES } from '../intrinsics.ts';
import { FIELD_OPERATORS, SPANSET_OPERATORS } from '../operators.ts';
import { writtenAttribute } from '../tokens.ts';

/** Trees of queries that mean something, in the shape that the parser gives them; places are all 0. */

const PLACE = { from: 0, to: 0 };
const NUMBER_OPERATORS = ['=', '!=', '<', '<=', '>', '>='] as const;
const ARITHMETIC = ['+', '-', '*', '/', '%', '^'] as const;
const SCOPES: AttributeScope[] = ['any', 'span', 'resource', 'event', 'link', 'instrumentation'];

const name = fc.oneof(
  fc.constantFrom('a', 'http.method', 'service.name', 'a+b', '5', '__proto__', 'a b', '"', '\\', 'é😀', '{}', ''),
  fc.string({ unit: 'binary', maxLength: 8 }),
);

const attribute: fc.Arbitrary<Field> = fc.tuple(fc.constantFrom(...SCOPES), name).map(([scope, text]) => {
  return { kind: 'attribute', scope, name: text, text: writtenAttribute(scope, text), ...PLACE };
});

const intrinsic: fc.Arbitrary<Field> = fc
  .constantFrom<[string, Intrinsic][]>(...INTRINSIC_TEXTS)
  .map(([text, intrinsicName]) => ({ kind: 'intrinsic', name: intrinsicName, text, ...PLACE }));

const field = fc.oneof(attribute, intrinsic);

const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const number: fc.Arbitrary<Static & { type: 'int' | 'float' | 'duration' }> = fc.oneof(
  fc.record({ type: fc.constant('int' as const), value: fc.oneof(int64, fc.bigInt({ min: -3n, max: 3n })) }),
  fc.record({
    type: fc.constant('float' as const),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  }),
  // The smallest duration cannot be written: its number without the sign is too large.
  fc.record({ type: fc.constant('duration' as const), value: int64.filter((value) => value > -(1n << 63n)) }),
);

const string: fc.Arbitrary<Static> = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 10 }), fc.constantFrom('GET /', '"', '\\', '`', '\n\r\t\0', '// {}'))
  .map((value) => ({ type: 'string', value }));

const word: fc.Arbitrary<Static> = fc.oneof(
  fc.boolean().map((value): Static => ({ type: 'bool', value })),
  fc.constantFrom(...STATUSES).map((value): Static => ({ type: 'status', value })),
  fc.constantFrom(...KINDS).map((value): Static => ({ type: 'kind', value })),
  fc.constant<Static>({ type: 'nil' }),
);

const staticExpression = fc
  .oneof(number, string, word)
  .map((value): FieldExpression => ({ kind: 'static', value, ...PLACE }));

/** Of any types: most mean nothing. */
const anyExpression: fc.Arbitrary<FieldExpression> = fc.letrec<{ node: FieldExpression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(field, staticExpression),
    fc
      .record({
        kind: fc.constant('unary' as const),
        operator: fc.constantFrom('-' as const, '!' as const),
        operand: tie('node'),
      })
      // The parser makes one number of a minus and a number.
      .filter(
        ({ operator, operand }) =>
          operator === '!' ||
          operand.kind !== 'static' ||
          !('value' in operand.value) ||
          typeof operand.value.value === 'string' ||
          typeof operand.value.value === 'boolean',
      )
      .map((node): FieldExpression => ({ ...node, ...PLACE })),
    fc
      .record({
        kind: fc.constant('binary' as const),
        operator: fc.constantFrom(...[...FIELD_OPERATORS.values()].map(({ operator }): BinaryOperator => operator)),
        left: tie('node'),
        right: tie('node'),
      })
      .map((node): FieldExpression => ({ ...node, ...PLACE })),
  ),
})).node;

/** Attributes alone have every type. */
const numeric: fc.Arbitrary<FieldExpression> = fc.letrec<{ node: FieldExpression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      attribute,
      number.map((value): FieldExpression => ({ kind: 'static', value, ...PLACE })),
    ),
    tie('node')
      .filter((operand) => operand.kind !== 'static')
      .map((operand): FieldExpression => ({ kind: 'unary', operator: '-', operand, ...PLACE })),
    fc
      .record({ operator: fc.constantFrom(...ARITHMETIC), left: tie('node'), right: tie('node') })
      .map((node): FieldExpression => ({ kind: 'binary', ...node, ...PLACE })),
  ),
})).node;

const condition: fc.Arbitrary<FieldExpression> = fc.letrec<{ node: FieldExpression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      attribute,
      fc
        .record({ operator: fc.constantFrom(...NUMBER_OPERATORS), left: numeric, right: numeric })
        .map((node): FieldExpression => ({ kind: 'binary', ...node, ...PLACE })),
      fc
        .record({ operator: fc.constantFrom(...NUMBER_OPERATORS), left: attribute, value: string })
        .map(({ operator, left, value }): FieldExpression => {
          return { kind: 'binary', operator, left, right: { kind: 'static', value, ...PLACE }, ...PLACE };
        }),
      field.map((left): FieldExpression => {
        return {
          kind: 'binary',
          operator: '!=',
          left,
          right: { kind: 'static', value: { type: 'nil' }, ...PLACE },
          ...PLACE,
        };
      }),
    ),
    tie('node').map((operand): FieldExpression => ({ kind: 'unary', operator: '!', operand, ...PLACE })),
    fc
      .record({
        operator: fc.constantFrom('&&' as const, '||' as const, '=' as const),
        left: tie('node'),
        right: tie('node'),
      })
      .map((node): FieldExpression => ({ kind: 'binary', ...node, ...PLACE })),
  ),
})).node;

const filter = fc
  .option(condition, { nil: undefined })
  .map((expression): SpansetExpression & { kind: 'filter' } => ({ kind: 'filter', expression, ...PLACE }));

const spansetOperator = fc.constantFrom(...[...SPANSET_OPERATORS.values()].map(({ operator }) => operator));

const spanset: fc.Arbitrary<SpansetExpression> = fc.letrec<{ node: SpansetExpression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    filter,
    fc
      .record({ operator: spansetOperator, left: tie('node'), right: tie('node') })
      .map((node): SpansetExpression => ({ kind: 'spanset', ...node, ...PLACE })),
  ),
})).node;

const spanNumeric = fc
  .tuple(attribute, fc.constantFrom(...ARITHMETIC), numeric)
  .map(([left, operator, right]): FieldExpression => {
    return { kind: 'binary', operator, left, right, ...PLACE };
  });

const aggregate: fc.Arbitrary<ScalarExpression> = fc.oneof(
  fc.constant<ScalarExpression>({ kind: 'aggregate', function: 'count', argument: undefined, ...PLACE }),
  fc
    .record({
      function: fc.constantFrom('avg' as const, 'min' as const, 'max' as const, 'sum' as const),
      argument: spanNumeric,
    })
    .map((node): ScalarExpression => ({ kind: 'aggregate', ...node, ...PLACE })),
);

const scalarFilter = fc
  .record({ operator: fc.constantFrom(...NUMBER_OPERATORS), left: aggregate, value: number })
  .map(({ operator, left, value }): Stage => {
    return { kind: 'scalar-filter', operator, left, right: { kind: 'static', value, ...PLACE }, ...PLACE };
  });

const by = fc.oneof(field, spanNumeric).map((expression): Stage => ({ kind: 'by', expression, ...PLACE }));
const select = fc
  .array(field, { minLength: 1, maxLength: 4 })
  .map((fields): Stage => ({ kind: 'select', fields, ...PLACE }));
const coalesce = fc.constant<Stage>({ kind: 'coalesce', ...PLACE });

const stages = fc
  .tuple(
    fc.oneof(spanset, scalarFilter, by, select),
    fc.array(fc.oneof(spanset, scalarFilter, by, select, coalesce), { maxLength: 3 }),
  )
  .map(([first, rest]) => [first, ...rest]);

/** More than a set of spans: that one needs no pipeline around it. */
const operandPipeline = fc.tuple(stages, fc.oneof(scalarFilter, by, coalesce)).map(
  ([before, last]): SpansetExpression => ({
    kind: 'pipeline',
    pipeline: { stages: [...before, last], ...PLACE },
    ...PLACE,
  }),
);

const pipelineExpression = fc
  .tuple(fc.oneof(operandPipeline, spanset), spansetOperator, operandPipeline)
  .map(([left, operator, right]): Stage => ({ kind: 'spanset', operator, left, right, ...PLACE }));

const metrics: fc.Arbitrary<MetricsStage> = fc.oneof(
  fc
    .record({
      function: fc.constantFrom('rate' as const, 'count_over_time' as const),
      by: fc.array(field, { maxLength: 5 }),
    })
    .map((node): MetricsStage => ({ ...node, ...PLACE })),
  fc
    .record({
      function: fc.constantFrom('min_over_time' as const, 'avg_over_time' as const, 'histogram_over_time' as const),
      field,
      by: fc.array(field, { maxLength: 4 }),
    })
    .map((node): MetricsStage => ({ ...node, ...PLACE })),
  fc
    .record({
      function: fc.constant('quantile_over_time' as const),
      field,
      quantiles: fc.array(fc.double({ min: 0, max: 1, noNaN: true }).map(Math.abs), { minLength: 1, maxLength: 3 }),
      by: fc.array(field, { maxLength: 4 }),
    })
    .map((node): MetricsStage => ({ ...node, ...PLACE })),
);

const compare: fc.Arbitrary<MetricsStage> = fc
  .record({
    function: fc.constant('compare' as const),
    selection: filter,
    top: fc.integer({ min: 1, max: 0x7fffffff }),
    times: fc.option(fc.tuple(fc.bigInt({ min: 1n, max: 1n << 60n }), fc.bigInt({ min: 1n, max: 1n << 60n })), {
      nil: undefined,
    }),
  })
  .map(({ times, ...node }): MetricsStage => {
    const [start, length] = times ?? [];
    const end = start === undefined || length === undefined ? undefined : start + length;
    return { ...node, start, end, ...PLACE };
  });

const secondStage: fc.Arbitrary<SecondStage> = fc.oneof(
  fc
    .record({ kind: fc.constantFrom('topk' as const, 'bottomk' as const), limit: fc.integer({ min: 1, max: 1000 }) })
    .map((node): SecondStage => ({ ...node, ...PLACE })),
  fc
    .record({
      kind: fc.constant('metrics-filter' as const),
      operator: fc.constantFrom(...NUMBER_OPERATORS),
      value: number,
    })
    .map((node): SecondStage => ({ ...node, ...PLACE })),
);

const hint: fc.Arbitrary<Hint> = fc
  .record({ name: fc.constantFrom('sample', 'most_recent', 'x', 'kind'), value: fc.oneof(number, string, word) })
  .map((node): Hint => ({ ...node, ...PLACE }));

const noMetrics = fc.constant({ metrics: undefined, secondStages: [] as SecondStage[] });
const withMetrics = fc.oneof(
  fc.record({ metrics, secondStages: fc.array(secondStage, { maxLength: 3 }) }),
  fc.record({ metrics: compare, secondStages: fc.constant<SecondStage[]>([]) }),
);

/** Queries that `parse` takes. */
export const arbitraryQuery: fc.Arbitrary<Query> = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.tuple(stages, fc.oneof(noMetrics, withMetrics)) },
      { weight: 1, arbitrary: fc.tuple(fc.tuple(pipelineExpression), noMetrics) },
    ),
    fc.array(hint, { maxLength: 3 }),
  )
  .map(([[list, ending], hints]) => ({ pipeline: { stages: list, ...PLACE }, ...ending, hints, ...PLACE }));

/** Expressions that read well, most of which mean nothing. */
export const arbitraryExpression = anyExpression;

/** The tree with all places 0. */
export function withoutPlaces<T>(node: T): T {
  if (Array.isArray(node)) return node.map(withoutPlaces) as T;
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [
    key,
    key === 'from' || key === 'to' ? 0 : withoutPlaces(value),
  ]);
  return Object.fromEntries(entries) as T;
}
