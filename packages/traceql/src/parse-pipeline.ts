import type { AggregateFunction, Pipeline, ScalarExpression, SpansetExpression, Stage } from './ast.ts';
import {
  LOOSEST,
  LOOSEST_ARITHMETIC,
  numberComparison,
  rightLevel,
  SCALAR_OPERATORS,
  SPANSET_OPERATORS,
} from './operators.ts';
import { parseField, parseFieldExpression, takeNumber } from './parse-field.ts';
import type { TokenStream } from './token-stream.ts';

/**
 * What stands before `|`, between parentheses or at the end: `(` may begin a set of spans, a pipeline or a number,
 * and only its end tells which.
 */
type Operand =
  | { sort: 'spanset'; node: SpansetExpression }
  | { sort: 'scalar'; node: ScalarExpression }
  /** `({ … } | count())`: a number that a pipeline ends in. */
  | { sort: 'pipeline-scalar'; from: number; to: number };

const AGGREGATES: readonly AggregateFunction[] = ['count', 'avg', 'min', 'max', 'sum'];
const PIPELINE_SCALAR = 'scalar filter lhs of type (%v) not yet supported';

/** Stages with `|` between them, up to a function of metrics or the end of the pipeline. */
export function parsePipeline(tokens: TokenStream, isMetrics: (word: string) => boolean): Pipeline {
  const { from } = tokens.peek();
  const { stages, scalar } = parseStages(tokens, isMetrics);
  if (scalar !== undefined) throw tokens.unexpected();
  return { stages, from, to: tokens.end };
}

interface Stages {
  stages: Stage[];
  /** The number that stands where one more stage could. */
  scalar: Operand | undefined;
}

function parseStages(tokens: TokenStream, isMetrics: (word: string) => boolean): Stages {
  const stages: Stage[] = [];
  do {
    const stage = parseStage(tokens, stages.length === 0);
    if ('sort' in stage) return { stages, scalar: stage };
    stages.push(stage);
    if (isSpanset(stage) && holdsPipeline(stage) && (stages.length > 1 || tokens.at('|'))) {
      throw tokens.wrong(stage, 'no other stage may stand beside a pipeline in parentheses');
    }
  } while (tokens.at('|') && !isMetrics(tokens.peek(1).text) && tokens.take('|'));
  return { stages, scalar: undefined };
}

/** One stage; an operand that is not in a comparison is none yet. */
function parseStage(tokens: TokenStream, first: boolean): Stage | Exclude<Operand, { sort: 'spanset' }> {
  const { from } = tokens.peek();
  if (tokens.take('by')) {
    tokens.expect('(');
    const expression = parseFieldExpression(tokens);
    tokens.expect(')');
    return tokens.node({ kind: 'by', expression, from, to: tokens.end }, expression);
  }
  if (!first && tokens.take('coalesce')) {
    tokens.expect('(');
    tokens.expect(')');
    return tokens.node({ kind: 'coalesce', from, to: tokens.end });
  }
  if (tokens.take('select')) {
    tokens.expect('(');
    const fields = [parseField(tokens)];
    while (tokens.take(',')) fields.push(parseField(tokens));
    tokens.expect(')');
    return tokens.node({ kind: 'select', fields, from, to: tokens.end });
  }
  const left = parseOperators(tokens, LOOSEST);
  if (left.sort === 'spanset') return left.node;
  const operator = tokens.peek().kind === 'operator' ? numberComparison(tokens.peek().text) : undefined;
  if (operator === undefined) return left;
  tokens.next();
  const right = parseOperators(tokens, LOOSEST_ARITHMETIC);
  if (left.sort !== 'scalar') throw tokens.wrong(left, PIPELINE_SCALAR);
  if (right.sort === 'pipeline-scalar') throw tokens.wrong(right, PIPELINE_SCALAR.replace('lhs', 'rhs'));
  if (right.sort !== 'scalar') throw tokens.wrong(right.node, 'a number cannot be compared with a set of spans');
  return tokens.node(
    { kind: 'scalar-filter', operator, left: left.node, right: right.node, from, to: tokens.end },
    left.node,
    right.node,
  );
}

/** Operands and the operators between them, of sets of spans or of numbers, by how tightly they bind. */
function parseOperators(tokens: TokenStream, loosest: number): Operand {
  const { from } = tokens.peek();
  let left = tokens.nested(() => parseOperand(tokens));
  for (;;) {
    const token = tokens.peek();
    if (token.kind !== 'operator') return left;
    const found = (left.sort === 'spanset' ? SPANSET_OPERATORS : SCALAR_OPERATORS).get(token.text);
    if (found === undefined || found.level < loosest) return left;
    if (left.sort === 'pipeline-scalar') throw tokens.wrong(left, PIPELINE_SCALAR);
    tokens.next();
    const at = tokens.peek();
    const right = tokens.nested(() => parseOperators(tokens, rightLevel(found.level)));
    left = join(tokens, left, token.text, right, from, at);
  }
}

function join(
  tokens: TokenStream,
  left: Exclude<Operand, { sort: 'pipeline-scalar' }>,
  text: string,
  right: Operand,
  from: number,
  at: { from: number; to: number },
): Operand {
  const place = { from, to: tokens.end };
  if (right.sort === 'pipeline-scalar') throw tokens.wrong(at, PIPELINE_SCALAR);
  const spanset = SPANSET_OPERATORS.get(text)?.operator;
  if (left.sort === 'spanset' && right.sort === 'spanset' && spanset !== undefined) {
    const operands = { left: left.node, right: right.node };
    return {
      sort: 'spanset',
      node: tokens.node({ kind: 'spanset', operator: spanset, ...operands, ...place }, left.node, right.node),
    };
  }
  const arithmetic = SCALAR_OPERATORS.get(text)?.operator;
  if (left.sort === 'scalar' && right.sort === 'scalar' && arithmetic !== undefined) {
    const operands = { left: left.node, right: right.node };
    return {
      sort: 'scalar',
      node: tokens.node({ kind: 'arithmetic', operator: arithmetic, ...operands, ...place }, left.node, right.node),
    };
  }
  throw tokens.wrong(at, 'sets of spans and numbers do not mix');
}

function parseOperand(tokens: TokenStream): Operand {
  const { from } = tokens.peek();
  if (tokens.at('{')) return { sort: 'spanset', node: parseFilter(tokens) };
  if (tokens.take('(')) return parseGroup(tokens, from);
  const number = takeNumber(tokens);
  if (number !== undefined) {
    return { sort: 'scalar', node: tokens.node({ kind: 'static', value: number, from, to: tokens.end }) };
  }
  const name = AGGREGATES.find((candidate) => tokens.at(candidate));
  if (name === undefined) throw tokens.unexpected();
  tokens.next();
  tokens.expect('(');
  const argument = name === 'count' ? undefined : parseFieldExpression(tokens);
  tokens.expect(')');
  const node = { kind: 'aggregate', function: name, argument, from, to: tokens.end } as const;
  return { sort: 'scalar', node: tokens.node(node, ...(argument === undefined ? [] : [argument])) };
}

/** `{ … }` */
export function parseFilter(tokens: TokenStream): SpansetExpression & { kind: 'filter' } {
  const { from } = tokens.expect('{');
  const expression = tokens.at('}') ? undefined : parseFieldExpression(tokens);
  tokens.expect('}');
  const node = { kind: 'filter', expression, from, to: tokens.end } as const;
  return tokens.node(node, ...(expression === undefined ? [] : [expression]));
}

/** What stands behind an opened parenthesis, and the closing one. */
function parseGroup(tokens: TokenStream, from: number): Operand {
  const begin = tokens.peek().from;
  const { stages, scalar } = parseStages(tokens, () => false);
  const pipeline: Pipeline = { stages, from: begin, to: tokens.end };
  tokens.expect(')');
  const place = { from, to: tokens.end };
  if (scalar !== undefined) return stages.length === 0 ? scalar : { sort: 'pipeline-scalar', ...place };
  const [only] = stages;
  if (stages.length === 1 && only !== undefined && isSpanset(only)) return { sort: 'spanset', node: only };
  return { sort: 'spanset', node: tokens.node({ kind: 'pipeline', pipeline, ...place }, ...stages) };
}

function isSpanset(stage: Stage): stage is SpansetExpression {
  return stage.kind === 'filter' || stage.kind === 'spanset' || stage.kind === 'pipeline';
}

function holdsPipeline(expression: SpansetExpression): boolean {
  if (expression.kind === 'spanset') return holdsPipeline(expression.left) || holdsPipeline(expression.right);
  return expression.kind === 'pipeline';
}
