import { VivaceError } from '@vivace/kernel';
import { type Pipeline, printFieldExpression, printScalar, type SpansetExpression, type Stage } from '@vivace/traceql';
import type { AnswerAttribute } from '../answer.ts';
import { aggregatesIn, scalarValue } from './aggregates.ts';
import { evaluate, holds } from './expressions.ts';
import type { NaiveSpan, NaiveTrace } from './model.ts';
import { related } from './structure.ts';
import { compare, groupValue, valueKey } from './values.ts';

/** Spans of one trace in canonical order, never none. */
export interface NaiveSpanset {
  spans: NaiveSpan[];
  attributes: AnswerAttribute[];
}

/** What a pipeline leaves of a trace: nothing where it does not match. Throws `invalid` for several spansets as an operand. */
export function runPipeline(pipeline: Pipeline, trace: NaiveTrace): NaiveSpanset[] {
  return runStages(pipeline, { spans: trace.spans, attributes: [] });
}

function runStages(pipeline: Pipeline, input: NaiveSpanset): NaiveSpanset[] {
  let spansets = [input];
  for (const stage of pipeline.stages) spansets = runStage(stage, spansets).filter(({ spans }) => spans.length > 0);
  return spansets;
}

function runStage(stage: Stage, spansets: NaiveSpanset[]): NaiveSpanset[] {
  switch (stage.kind) {
    case 'pipeline':
      return spansets.flatMap((spanset) => runStages(stage.pipeline, spanset));
    case 'filter':
    case 'spanset':
      return spansets.map((spanset) => ({ ...spanset, spans: select(stage, spanset) }));
    case 'by':
      return spansets.flatMap((spanset) => grouped(stage.expression, spanset));
    case 'coalesce':
      return [{ spans: inOrder(spansets.flatMap(({ spans }) => spans)), attributes: [] }];
    case 'select':
      return spansets;
    case 'scalar-filter':
      return spansets.flatMap((spanset) => scalarFiltered(stage, spanset));
  }
}

/** The spans of a spanset that an expression picks. */
function select(expression: SpansetExpression, input: NaiveSpanset): NaiveSpan[] {
  switch (expression.kind) {
    case 'filter': {
      const condition = expression.expression;
      return condition === undefined ? input.spans : input.spans.filter((span) => holds(condition, span));
    }
    case 'pipeline': {
      const spansets = runStages(expression.pipeline, input);
      if (spansets.length > 1) {
        throw new VivaceError(
          'invalid',
          'traceql-several-spansets',
          'spanset operators are not supported for multiple spansets per trace, consider coalesce()',
        );
      }
      return spansets[0]?.spans ?? [];
    }
    case 'spanset': {
      const left = select(expression.left, input);
      const right = select(expression.right, input);
      if (expression.operator === '||') return inOrder([...left, ...right]);
      if (expression.operator !== '&&') return inOrder(related(expression.operator, left, right));
      return left.length > 0 && right.length > 0 ? inOrder([...left, ...right]) : [];
    }
  }
}

/** Each span once, in canonical order. */
function inOrder(spans: readonly NaiveSpan[]): NaiveSpan[] {
  const chosen = new Set(spans);
  return spans[0]?.trace.spans.filter((span) => chosen.has(span)) ?? [];
}

function grouped(expression: Extract<Stage, { kind: 'by' }>['expression'], input: NaiveSpanset): NaiveSpanset[] {
  const groups = new Map<string, NaiveSpanset>();
  for (const span of input.spans) {
    const value = groupValue(evaluate(expression, span));
    const key = valueKey(value);
    const group = groups.get(key);
    if (group !== undefined) group.spans.push(span);
    else {
      const attribute = { key: `by(${printFieldExpression(expression)})`, value };
      groups.set(key, { spans: [span], attributes: [...input.attributes, attribute] });
    }
  }
  return [...groups.values()];
}

function scalarFiltered(stage: Extract<Stage, { kind: 'scalar-filter' }>, input: NaiveSpanset): NaiveSpanset[] {
  if (!compare(stage.operator, scalarValue(stage.left, input.spans), scalarValue(stage.right, input.spans))) return [];
  const attributes = [...aggregatesIn(stage.left), ...aggregatesIn(stage.right)].map((aggregate) => ({
    key: printScalar(aggregate),
    value: scalarValue(aggregate, input.spans),
  }));
  return [{ spans: input.spans, attributes: [...input.attributes, ...attributes] }];
}
