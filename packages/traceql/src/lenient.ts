import { isKind } from '@vivace/kernel';
import type { FieldExpression, LogicalOperator, Place, SpansetExpression } from './ast.ts';
import { tokenize } from './lexer.ts';
import { parse } from './parse.ts';
import { parseFieldExpression } from './parse-field.ts';
import { TokenStream } from './token-stream.ts';
import type { Token } from './tokens.ts';
import { validateCondition } from './validate.ts';

/** A condition on spans: `{ … }`. */
export type Filter = SpansetExpression & { kind: 'filter' };

/** Longer queries are not being written by hand. */
const MAX_TOKENS = 5000;
/** Parentheses one inside another. */
const MAX_NESTING = 50;
/** Conditions that are kept of an unfinished query. */
const MAX_CONDITIONS = 200;

/**
 * What a query that somebody is still writing says about spans, to narrow the values that are offered: the first
 * filter, without the conditions that are not finished. Undefined where there is nothing to go by; never throws.
 */
export function parseLenient(query: string): Filter | undefined {
  try {
    const [first] = parse(query).pipeline.stages;
    return first?.kind === 'filter' && narrows(first.expression) ? first : undefined;
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    return salvage(query.toWellFormed());
  }
}

function narrows(expression: FieldExpression | undefined): boolean {
  return expression !== undefined && !(expression.kind === 'static' && expression.value.type === 'bool');
}

function salvage(source: string): Filter | undefined {
  let tokens: Token[];
  try {
    tokens = tokenize(source, { goOn: true });
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    return undefined;
  }
  if (tokens.length > MAX_TOKENS) return undefined;
  const begin = tokens.findIndex((token) => token.text !== '(');
  if (tokens[begin]?.text !== '{') return undefined;
  const inner = tokens.slice(begin + 1);
  const close = endOf(inner, 0, (token) => token.text === '}' || token.text === '|');
  const behind = inner[close]?.text === '}' ? inner.slice(close + 1).find((token) => token.text !== ')') : undefined;
  // Of several filters none says what all spans are.
  if (behind !== undefined && behind.kind !== 'end' && behind.text !== '|') return undefined;
  const expression = new Salvage(source).conditions(inner.slice(0, close), MAX_NESTING);
  const from = tokens[begin].from;
  return narrows(expression) ? { kind: 'filter', expression, from, to: inner[close]?.to ?? source.length } : undefined;
}

/** Where the first operator is that stops, outside of parentheses; the end otherwise. */
function endOf(tokens: readonly Token[], from: number, stops: (token: Token) => boolean): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    if (token.kind === 'end') return i;
    if (token.kind !== 'operator') continue;
    if (token.text === '}' || (depth <= 0 && stops(token))) return i;
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
  }
  return tokens.length;
}

class Salvage {
  readonly #source: string;
  #kept = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Conditions with `&&` and `||` between them; those that cannot be read are left out. */
  conditions(tokens: readonly Token[], nesting: number): FieldExpression | undefined {
    let left: FieldExpression | undefined;
    let operator: LogicalOperator = '&&';
    for (let from = 0; from <= tokens.length && this.#kept <= MAX_CONDITIONS; ) {
      const to = endOf(tokens, from, (token) => token.text === '&&' || token.text === '||');
      const right = this.#condition(tokens.slice(from, to), nesting);
      left = joined(left, operator, right);
      operator = tokens[to]?.text === '||' ? '||' : '&&';
      from = to + 1;
    }
    return left;
  }

  #condition(tokens: readonly Token[], nesting: number): FieldExpression | undefined {
    const [first] = tokens;
    if (first === undefined || nesting === 0) return undefined;
    const whole = this.#parsed(tokens);
    if (whole !== undefined || first.text !== '(') return whole;
    const inner = tokens.slice(1);
    const close = endOf(inner, 0, (token) => token.text === ')');
    return close >= inner.length - 1 ? this.conditions(inner.slice(0, close), nesting - 1) : undefined;
  }

  /** The tokens as one whole condition; a lone attribute is one that is not finished. */
  #parsed(tokens: readonly Token[]): FieldExpression | undefined {
    const { to } = tokens.at(-1) as Place;
    const stream = new TokenStream(this.#source, [...tokens, { kind: 'end', text: '', from: to, to }]);
    try {
      const expression = parseFieldExpression(stream);
      if (stream.peek().kind !== 'end') return undefined;
      validateCondition(expression, this.#source);
      if (expression.kind === 'attribute' || expression.kind === 'intrinsic') return undefined;
      this.#kept++;
      return expression;
    } catch (error) {
      if (!isKind(error, 'invalid')) throw error;
      return undefined;
    }
  }
}

function joined(
  left: FieldExpression | undefined,
  operator: LogicalOperator,
  right: FieldExpression | undefined,
): FieldExpression | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return { kind: 'binary', operator, left, right, from: left.from, to: right.to };
}
