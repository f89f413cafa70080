export type {
  AggregateFunction,
  ArithmeticOperator,
  Attribute,
  AttributeScope,
  BinaryOperator,
  ComparisonOperator,
  Field,
  FieldExpression,
  Hint,
  Intrinsic,
  IntrinsicField,
  Kind,
  LogicalOperator,
  MetricsStage,
  Pipeline,
  Place,
  Query,
  ScalarExpression,
  SecondStage,
  SpansetExpression,
  Stage,
  Static,
  Status,
  StructuralOperator,
} from './ast.ts';
export { formatDuration, parseDuration, parseGoDuration, parsePrometheusDuration } from './duration.ts';
export { intrinsicType, type StaticType } from './intrinsics.ts';
export { type Filter, parseLenient } from './lenient.ts';
export type { Matcher } from './matcher.ts';
export { hintOf, parse, parseField } from './parse.ts';
export { compilePattern } from './pattern.ts';
export { printFieldExpression, printQuery, printScalar, printStage, printStatic } from './print.ts';
export { type DurationBounds, durationBounds, parseTags, type Tags, tagQuery } from './tag-search.ts';
export { isNumericType, typeOf, type ValueType } from './types.ts';
