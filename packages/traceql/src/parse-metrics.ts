import type { Field, Hint, MetricsStage, Place, SecondStage } from './ast.ts';
import { numberComparison } from './operators.ts';
import { parseField, takeNumber, takeStatic } from './parse-field.ts';
import { parseFilter } from './parse-pipeline.ts';
import type { TokenStream } from './token-stream.ts';

const COUNTING = ['rate', 'count_over_time'] as const;
const OVER_A_FIELD = [
  'min_over_time',
  'max_over_time',
  'avg_over_time',
  'sum_over_time',
  'histogram_over_time',
] as const;
const NAMES: ReadonlySet<string> = new Set([...COUNTING, ...OVER_A_FIELD, 'quantile_over_time', 'compare']);
/** Values of each attribute that compare() tells apart unless it is told how many. */
const DEFAULT_TOP = 10;

/** Whether the word is a function that makes series of spans. */
export function isMetricsFunction(word: string): boolean {
  return NAMES.has(word);
}

/** `rate() by(.a)` and its like. */
export function parseMetrics(tokens: TokenStream): MetricsStage {
  const { from } = tokens.peek();
  const counting = COUNTING.find((name) => tokens.take(name));
  if (counting !== undefined) {
    tokens.expect('(');
    tokens.expect(')');
    const by = parseBy(tokens);
    return { function: counting, by, from, to: tokens.end };
  }
  const overField = OVER_A_FIELD.find((name) => tokens.take(name));
  if (overField !== undefined) {
    tokens.expect('(');
    const field = parseField(tokens);
    tokens.expect(')');
    const by = parseBy(tokens);
    return { function: overField, field, by, from, to: tokens.end };
  }
  return tokens.take('quantile_over_time') ? parseQuantiles(tokens, from) : parseCompare(tokens, from);
}

function parseQuantiles(tokens: TokenStream, from: number): MetricsStage {
  tokens.expect('(');
  const field = parseField(tokens);
  const quantiles: number[] = [];
  do {
    tokens.expect(',');
    const token = tokens.peek();
    const value = takeNumber(tokens);
    if (value === undefined || value.type === 'duration') throw tokens.unexpected('a number');
    const quantile = Number(value.value);
    if (!(quantile >= 0 && quantile <= 1)) {
      throw tokens.wrong(token, `quantile must be between 0 and 1: ${quantile}`);
    }
    quantiles.push(quantile);
  } while (!tokens.at(')'));
  tokens.expect(')');
  const by = parseBy(tokens);
  return { function: 'quantile_over_time', field, quantiles, by, from, to: tokens.end };
}

function parseCompare(tokens: TokenStream, from: number): MetricsStage {
  tokens.expect('compare');
  tokens.expect('(');
  const selection = parseFilter(tokens);
  const top = tokens.take(',') ? takeCount(tokens, 'compare() top number of values') : DEFAULT_TOP;
  let start: bigint | undefined;
  let end: bigint | undefined;
  const { from: timesFrom } = tokens.peek();
  if (tokens.take(',')) {
    start = takeInteger(tokens);
    tokens.expect(',');
    end = takeInteger(tokens);
    const place = { from: timesFrom, to: tokens.end };
    if (start <= 0n || end <= 0n) throw tokens.wrong(place, 'compare() start and end must be greater than 0');
    if (end <= start) throw tokens.wrong(place, 'compare() end must be greater than start');
  }
  tokens.expect(')');
  return { function: 'compare', selection, top, start, end, from, to: tokens.end };
}

function parseBy(tokens: TokenStream): Field[] {
  const by: Field[] = [];
  if (!tokens.take('by')) return by;
  tokens.expect('(');
  do by.push(parseField(tokens));
  while (tokens.take(','));
  tokens.expect(')');
  return by;
}

function takeInteger(tokens: TokenStream): bigint {
  const negative = tokens.take('-');
  const value = takeStatic(tokens);
  if (value?.type !== 'int') throw tokens.unexpected('an integer');
  return negative ? -value.value : value.value;
}

/** A number of things, 1 to 2^31 - 1. */
function takeCount(tokens: TokenStream, what: string): number {
  const place: Place = tokens.peek();
  const value = takeInteger(tokens);
  if (value <= 0n) throw tokens.wrong(place, `${what} must be an integer greater than 0: ${value}`);
  if (value > 0x7fff_ffffn) throw tokens.wrong(place, `${what} is too large: ${value}`);
  return Number(value);
}

/** What is done with the series: `| topk(5)`, `> 3`. */
export function parseSecondStages(tokens: TokenStream): SecondStage[] {
  const stages: SecondStage[] = [];
  for (;;) {
    const { from } = tokens.peek();
    const operator = tokens.peek().kind === 'operator' ? numberComparison(tokens.peek().text) : undefined;
    if (operator !== undefined) {
      tokens.next();
      const value = takeNumber(tokens);
      if (value === undefined) throw tokens.unexpected('a number');
      stages.push({ kind: 'metrics-filter', operator, value, from, to: tokens.end });
    } else if (tokens.take('|')) {
      const kind = tokens.take('topk') ? 'topk' : tokens.take('bottomk') ? 'bottomk' : undefined;
      if (kind === undefined) throw tokens.unexpected('topk or bottomk');
      tokens.expect('(');
      const limit = takeCount(tokens, `${kind} limit`);
      tokens.expect(')');
      stages.push({ kind, limit, from, to: tokens.end });
    } else return stages;
  }
}

/** `with(name=value, …)`, any number of times. */
export function parseHints(tokens: TokenStream): Hint[] {
  const hints: Hint[] = [];
  while (tokens.take('with')) {
    tokens.expect('(');
    do {
      const name = tokens.peek();
      if (name.kind !== 'identifier') throw tokens.unexpected('the name of a hint');
      tokens.next();
      tokens.expect('=');
      const value = takeNumber(tokens) ?? takeStatic(tokens);
      if (value === undefined) throw tokens.unexpected('a value');
      hints.push({ name: name.text, value, from: name.from, to: tokens.end });
    } while (tokens.take(','));
    tokens.expect(')');
  }
  return hints;
}
