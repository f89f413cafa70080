import type { Field, FieldExpression, Intrinsic, Kind, Place, Static, Status } from './ast.ts';
import { INTRINSIC_TEXTS, intrinsicOf, KINDS, STATUSES } from './intrinsics.ts';
import { FIELD_OPERATORS, LOOSEST, PREFIX_LEVELS, rightLevel } from './operators.ts';
import type { TokenStream } from './token-stream.ts';
import { writtenAttribute } from './tokens.ts';

const MIN_INT = -(1n << 63n);
const MAX_INT = (1n << 63n) - 1n;

/** Values that are words. */
const WORDS: ReadonlyMap<string, Static> = new Map<string, Static>([
  ['nil', { type: 'nil' }],
  ['true', { type: 'bool', value: true }],
  ['false', { type: 'bool', value: false }],
  ['minInt', { type: 'int', value: MIN_INT }],
  ['maxInt', { type: 'int', value: MAX_INT }],
  ...STATUSES.map((value: Status): [string, Static] => [value, { type: 'status', value }]),
  ...KINDS.map((value: Kind): [string, Static] => [value, { type: 'kind', value }]),
]);

/** An expression over the fields of a span; stops before the first operator that binds looser than the level. */
export function parseFieldExpression(tokens: TokenStream, loosest: number = LOOSEST): FieldExpression {
  const { from } = tokens.peek();
  let left = tokens.nested(() => parseOperand(tokens));
  for (;;) {
    const token = tokens.peek();
    const found = token.kind === 'operator' ? FIELD_OPERATORS.get(token.text) : undefined;
    if (found === undefined || found.level < loosest) return left;
    tokens.next();
    const right = tokens.nested(() => parseFieldExpression(tokens, rightLevel(found.level)));
    const { operator } = found;
    left = tokens.node({ kind: 'binary', operator, left, right, from, to: tokens.end }, left, right);
  }
}

function parseOperand(tokens: TokenStream): FieldExpression {
  const { from } = tokens.peek();
  if (tokens.take('(')) {
    const inner = parseFieldExpression(tokens);
    tokens.expect(')');
    return inner;
  }
  const token = tokens.peek();
  const prefix = token.kind === 'operator' ? PREFIX_LEVELS.get(token.text) : undefined;
  if (prefix !== undefined) {
    tokens.next();
    const operand = parseFieldExpression(tokens, prefix.level + 1);
    const { operator } = prefix;
    const negated = operator === '-' && operand.kind === 'static' ? negative(operand.value) : undefined;
    if (negated !== undefined) return tokens.node({ kind: 'static', value: negated, from, to: tokens.end });
    return tokens.node({ kind: 'unary', operator, operand, from, to: tokens.end }, operand);
  }
  const value = takeStatic(tokens);
  if (value !== undefined) return tokens.node({ kind: 'static', value, from, to: tokens.end });
  return parseField(tokens);
}

/** A value that is written out, without a sign; undefined where there is none. */
export function takeStatic(tokens: TokenStream): Static | undefined {
  const token = tokens.peek();
  switch (token.kind) {
    case 'int':
    case 'duration':
      tokens.next();
      return { type: token.kind, value: token.value };
    case 'float':
      tokens.next();
      return { type: 'float', value: token.value };
    case 'string':
      tokens.next();
      return { type: 'string', value: token.value };
    case 'identifier': {
      const word = WORDS.get(token.text);
      if (word !== undefined) tokens.next();
      return word;
    }
    case 'attribute':
    case 'end':
    case 'error':
    case 'intrinsic-scope':
    case 'operator':
      return undefined;
  }
}

/** A number, perhaps with a minus before it; undefined where there is none. */
export function takeNumber(tokens: TokenStream): (Static & { type: 'int' | 'float' | 'duration' }) | undefined {
  const sign = tokens.at('-') ? 1 : 0;
  const token = tokens.peek(sign);
  const isNumber = token.kind === 'int' || token.kind === 'float' || token.kind === 'duration';
  const isName = token.kind === 'identifier' && (token.text === 'minInt' || token.text === 'maxInt');
  if (!isNumber && !isName) return undefined;
  if (sign === 1) tokens.next();
  const value = takeStatic(tokens);
  const signed = sign === 1 && value !== undefined ? negative(value) : value;
  return signed !== undefined && isNumeric(signed) ? signed : undefined;
}

function isNumeric(value: Static): value is Static & { type: 'int' | 'float' | 'duration' } {
  return value.type === 'int' || value.type === 'float' || value.type === 'duration';
}

function negative(value: Static): Static | undefined {
  if (value.type === 'float') return { type: 'float', value: -value.value };
  if (value.type === 'int' || value.type === 'duration') {
    return { type: value.type, value: BigInt.asIntN(64, -value.value) };
  }
  return undefined;
}

/** An attribute or an intrinsic. */
export function parseField(tokens: TokenStream): Field {
  const token = tokens.peek();
  const { from } = token;
  if (token.kind === 'attribute') {
    tokens.next();
    if (token.parent) throw tokens.wrong(token, 'parent not yet supported');
    const { scope, name } = token;
    const text = writtenAttribute(scope, name);
    return tokens.node({ kind: 'attribute', scope, name, text, from, to: tokens.end });
  }
  if (token.kind === 'intrinsic-scope') {
    const text = token.text + tokens.peek(1).text;
    const name = tokens.peek(1).kind === 'identifier' ? INTRINSIC_TEXTS.get(text) : undefined;
    tokens.next();
    if (name === undefined) throw tokens.unexpected();
    tokens.next();
    return intrinsic(tokens, name, text, { from, to: tokens.end });
  }
  const name = token.kind === 'identifier' ? intrinsicOf(token.text) : undefined;
  if (name === undefined) {
    if (tokens.at('parent')) throw tokens.wrong(token, 'parent not yet supported');
    throw tokens.unexpected();
  }
  tokens.next();
  return intrinsic(tokens, name, token.text, { from, to: tokens.end });
}

function intrinsic(tokens: TokenStream, name: Intrinsic, text: string, place: Place): Field {
  return tokens.node({ kind: 'intrinsic', name, text, ...place });
}
