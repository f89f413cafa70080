import { VivaceError } from '@vivace/kernel';
import {
  type FieldExpression,
  type Pipeline,
  printFieldExpression,
  printScalar,
  type ScalarExpression,
  type SpansetExpression,
  type Stage,
} from '@vivace/traceql';
import { aggregatesIn, scalarValue } from './aggregate.ts';
import type { AnswerAttribute } from './answer.ts';
import { evaluate } from './evaluate.ts';
import type { Filter } from './needs.ts';
import { related, type SpanSet } from './relation.ts';
import type { TraceRows } from './trace-rows.ts';
import { compareFlags, positiveOperator, type Value, valueKey, verdict } from './value.ts';

/** Spans of one trace that are in the answer together. */
export interface Spanset {
  /** Numbers of the spans in the trace, ascending; never none. */
  spans: number[];
  attributes: AnswerAttribute[];
}

/** Whether the condition of a filter holds of a span. */
export type Hits = (filter: Filter, trace: TraceRows, span: number) => boolean;

/** What a pipeline leaves of a trace: nothing where it does not match. */
export function runPipeline(pipeline: Pipeline, trace: TraceRows, hits: Hits): Spanset[] {
  return new Run(trace, hits).stages(pipeline, {
    spans: Array.from({ length: trace.count }, (_, span) => span),
    attributes: [],
  });
}

class Run {
  readonly #trace: TraceRows;
  readonly #hits: Hits;

  constructor(trace: TraceRows, hits: Hits) {
    this.#trace = trace;
    this.#hits = hits;
  }

  stages(pipeline: Pipeline, input: Spanset): Spanset[] {
    let spansets = [input];
    for (const stage of pipeline.stages) {
      spansets = this.#stage(stage, spansets).filter(({ spans }) => spans.length > 0);
      if (spansets.length === 0) break;
    }
    return spansets;
  }

  #stage(stage: Stage, spansets: Spanset[]): Spanset[] {
    switch (stage.kind) {
      case 'pipeline':
        return spansets.flatMap((spanset) => this.stages(stage.pipeline, spanset));
      case 'filter':
      case 'spanset':
        return spansets.map((spanset) => ({
          ...spanset,
          spans: numbersOf(this.#select(stage, this.#setOf(spanset.spans))),
        }));
      case 'by':
        return spansets.flatMap((spanset) => this.#grouped(stage.expression, spanset));
      case 'coalesce': {
        const [only] = spansets;
        const spans = spansets.length === 1 && only ? only.spans : spansets.flatMap((spanset) => spanset.spans);
        return [{ spans: numbersOf(this.#setOf(spans)), attributes: [] }];
      }
      case 'select':
        return spansets;
      case 'scalar-filter':
        return spansets.flatMap((spanset) => this.#scalarFiltered(stage, spanset));
    }
  }

  #setOf(spans: readonly number[]): SpanSet {
    const set = new Uint8Array(this.#trace.count);
    for (const span of spans) set[span] = 1;
    return set;
  }

  #select(expression: SpansetExpression, input: SpanSet): SpanSet {
    switch (expression.kind) {
      case 'filter': {
        if (expression.expression === undefined) return input;
        return input.map((one, span) => (one === 1 && this.#hits(expression, this.#trace, span) ? 1 : 0));
      }
      case 'pipeline': {
        const spansets = this.stages(expression.pipeline, { spans: numbersOf(input), attributes: [] });
        if (spansets.length > 1) {
          throw new VivaceError(
            'invalid',
            'traceql-several-spansets',
            'spanset operators are not supported for multiple spansets per trace, consider coalesce()',
          );
        }
        return this.#setOf(spansets[0]?.spans ?? []);
      }
      case 'spanset': {
        const left = this.#select(expression.left, input);
        const right = this.#select(expression.right, input);
        const { operator } = expression;
        if (operator !== '&&' && operator !== '||') return related(operator, this.#trace, left, right);
        if (operator === '&&' && !(left.includes(1) && right.includes(1))) return new Uint8Array(left.length);
        return left.map((one, span) => one | (right[span] as number));
      }
    }
  }

  #grouped(expression: FieldExpression, input: Spanset): Spanset[] {
    const groups = new Map<string, Spanset>();
    // Spans of one resource have the very same value.
    let last: Value | undefined;
    let group: Spanset | undefined;
    for (const span of input.spans) {
      const own = evaluate(expression, this.#trace, span);
      if (own !== last || group === undefined) {
        const value = groupValue(own);
        const key = valueKey(value);
        group = groups.get(key);
        if (group === undefined) {
          const attribute = { key: `by(${printFieldExpression(expression)})`, value };
          groups.set(key, (group = { spans: [], attributes: [...input.attributes, attribute] }));
        }
        last = own;
      }
      group.spans.push(span);
    }
    return [...groups.values()];
  }

  #scalarFiltered({ operator, left, right }: Stage & { kind: 'scalar-filter' }, input: Spanset): Spanset[] {
    const valueOf = (scalar: ScalarExpression) => scalarValue(scalar, this.#trace, input.spans);
    if (!verdict(operator, compareFlags(positiveOperator(operator), valueOf(left), valueOf(right)))) return [];
    const attributes = [...aggregatesIn(left), ...aggregatesIn(right)].map((aggregate) => ({
      key: printScalar(aggregate),
      value: valueOf(aggregate),
    }));
    return [{ spans: input.spans, attributes: [...input.attributes, ...attributes] }];
  }
}

function numbersOf(set: SpanSet): number[] {
  const numbers: number[] = [];
  for (let span = 0; span < set.length; span++) if (set[span] === 1) numbers.push(span);
  return numbers;
}

/** 0 and -0 are one group. */
function groupValue(value: Value): Value {
  return value.type === 'float' && value.value === 0 ? { type: 'float', value: 0 } : value;
}
