/**
 * The tree that a TraceQL query is parsed into. Every node has the place in the query it was read from.
 *
 * Source: https://grafana.com/docs/tempo/latest/traceql/ and docs/traceql.md, which lists where we differ.
 */

/** Offsets into the query: the first character of the node and the one after its last. */
export interface Place {
  from: number;
  to: number;
}

export type Status = 'error' | 'ok' | 'unset';
export type Kind = 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** A value that is written in a query. Integers and durations (nanoseconds) are exact 64-bit numbers. */
export type Static =
  | { type: 'nil' }
  | { type: 'int'; value: bigint }
  | { type: 'float'; value: number }
  | { type: 'string'; value: string }
  | { type: 'bool'; value: boolean }
  | { type: 'duration'; value: bigint }
  | { type: 'status'; value: Status }
  | { type: 'kind'; value: Kind };

/** Where an attribute is looked for; `any` is an attribute without scope: span, resource, event, link, instrumentation, the first that has it. */
export type AttributeScope = 'any' | 'span' | 'resource' | 'event' | 'link' | 'instrumentation';

/** Every intrinsic by its scoped name: `duration` is parsed as `span:duration`. */
export type Intrinsic =
  | 'span:duration'
  | 'span:name'
  | 'span:status'
  | 'span:statusMessage'
  | 'span:kind'
  | 'span:id'
  | 'span:parentID'
  | 'span:childCount'
  | 'trace:id'
  | 'trace:duration'
  | 'trace:rootName'
  | 'trace:rootService'
  | 'event:name'
  | 'event:timeSinceStart'
  | 'link:traceID'
  | 'link:spanID'
  | 'instrumentation:name'
  | 'instrumentation:version'
  | 'nestedSetLeft'
  | 'nestedSetRight'
  | 'nestedSetParent';

/** `text` is the attribute or intrinsic as written in answers: `span.foo`, `.foo`, `duration` as it was asked for. */
export interface Attribute extends Place {
  kind: 'attribute';
  scope: AttributeScope;
  name: string;
  text: string;
}

export interface IntrinsicField extends Place {
  kind: 'intrinsic';
  name: Intrinsic;
  text: string;
}

/** What a value can be read from. */
export type Field = Attribute | IntrinsicField;

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '=~' | '!~';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^';
export type LogicalOperator = '&&' | '||';
export type BinaryOperator = ComparisonOperator | ArithmeticOperator | LogicalOperator;

export type FieldExpression =
  | ({ kind: 'static'; value: Static } & Place)
  | Field
  | ({ kind: 'unary'; operator: '-' | '!'; operand: FieldExpression } & Place)
  | ({ kind: 'binary'; operator: BinaryOperator; left: FieldExpression; right: FieldExpression } & Place);

/** Relations between two sets of spans of a trace. */
export type StructuralOperator =
  | '>'
  | '<'
  | '>>'
  | '<<'
  | '~'
  | '!>'
  | '!<'
  | '!>>'
  | '!<<'
  | '!~'
  | '&>'
  | '&<'
  | '&>>'
  | '&<<'
  | '&~';

export type SpansetExpression =
  /** `{ … }`; `{}` has no expression and holds every span. */
  | ({ kind: 'filter'; expression: FieldExpression | undefined } & Place)
  | ({
      kind: 'spanset';
      operator: LogicalOperator | StructuralOperator;
      left: SpansetExpression;
      right: SpansetExpression;
    } & Place)
  /** An operand that is a whole pipeline: `({ … } | count() > 1) && ({ … })`. */
  | ({ kind: 'pipeline'; pipeline: Pipeline } & Place);

export type AggregateFunction = 'count' | 'avg' | 'min' | 'max' | 'sum';

export type ScalarExpression =
  | ({ kind: 'aggregate'; function: AggregateFunction; argument: FieldExpression | undefined } & Place)
  | ({ kind: 'static'; value: Static } & Place)
  | ({ kind: 'arithmetic'; operator: ArithmeticOperator; left: ScalarExpression; right: ScalarExpression } & Place);

export type Stage =
  | SpansetExpression
  | ({ kind: 'by'; expression: FieldExpression } & Place)
  | ({ kind: 'coalesce' } & Place)
  | ({ kind: 'select'; fields: Field[] } & Place)
  | ({
      kind: 'scalar-filter';
      operator: Exclude<ComparisonOperator, '=~' | '!~'>;
      left: ScalarExpression;
      right: ScalarExpression;
    } & Place);

export interface Pipeline extends Place {
  stages: Stage[];
}

export type MetricsStage =
  | ({ function: 'rate' | 'count_over_time'; by: Field[] } & Place)
  | ({
      function: 'min_over_time' | 'max_over_time' | 'avg_over_time' | 'sum_over_time' | 'histogram_over_time';
      field: Field;
      by: Field[];
    } & Place)
  /** Quantiles from 0 to 1, in the order asked for. */
  | ({ function: 'quantile_over_time'; field: Field; quantiles: number[]; by: Field[] } & Place)
  /** `start` and `end` of the selection in nanoseconds; both or neither. */
  | ({
      function: 'compare';
      selection: SpansetExpression & { kind: 'filter' };
      top: number;
      start: bigint | undefined;
      end: bigint | undefined;
    } & Place);

export type SecondStage =
  | ({ kind: 'topk' | 'bottomk'; limit: number } & Place)
  | ({ kind: 'metrics-filter'; operator: Exclude<ComparisonOperator, '=~' | '!~'>; value: Static } & Place);

export interface Hint extends Place {
  name: string;
  value: Static;
}

export interface Query extends Place {
  pipeline: Pipeline;
  metrics: MetricsStage | undefined;
  secondStages: SecondStage[];
  /** In the order written; of several with one name the last holds. */
  hints: Hint[];
}
