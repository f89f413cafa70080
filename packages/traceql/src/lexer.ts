import { VivaceError } from '@vivace/kernel';
import type { AttributeScope } from './ast.ts';
import { parseDuration } from './duration.ts';
import { unescape } from './string-literal.ts';
import { ATTRIBUTE_SCOPES, endsName, INTRINSIC_SCOPES, OPERATOR_TOKENS, type Token } from './tokens.ts';

/** Longer queries are refused, in bytes of UTF-8. */
const MAX_QUERY_BYTES = 128 * 1024;

const BLANK = /(?:[\t\n\r ]+|\/\/[^\n]*|\/\*[^]*?\*\/)+/y;
const IDENTIFIER = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
/** Longer ones are none; without a bound `1.1.1.1…` would be looked at again from each of its points. */
const DURATION = /[\d.nsuµμmhdwy]{1,256}/y;
const MAX_INT = (1n << 63n) - 1n;
/** Digits of an integer that could fit, with room for zeros in front. */
const MAX_NUMBER_LENGTH = 400;

/** A token before its text is known. */
type Read = Token extends infer T
  ? T extends Token
    ? Omit<T, 'from' | 'to' | 'text'> & { to: number }
    : never
  : never;

export interface TokenizeOptions {
  /** Behind what cannot be read go on, to the end. */
  goOn?: boolean;
}

/**
 * All tokens of the query and one for its end. Where the text cannot be read the last one says why: what stands
 * before may be wrong for another reason, which is then told first.
 */
export function tokenize(source: string, options: TokenizeOptions = {}): Token[] {
  if (Buffer.byteLength(source) > MAX_QUERY_BYTES) {
    throw new VivaceError('invalid', 'traceql', 'TraceQL expression exceeds the configured maximum size');
  }
  const tokens: Token[] = [];
  for (let from = 0; ; ) {
    from = match(BLANK, source, from)?.to ?? from;
    const token = readToken(source, from);
    tokens.push({ ...token, from, text: source.slice(from, token.to) } as Token);
    if (token.kind === 'end' || (token.kind === 'error' && options.goOn !== true)) return tokens;
    from = token.to;
  }
}

function readToken(source: string, from: number): Read {
  const first = source[from];
  if (first === undefined) return { kind: 'end', to: from };
  if (first === '/' && source[from + 1] === '*') return failure(source.length, 'comment not terminated');
  if (first === '"' || first === '`') return readString(source, from);
  const number = match(NUMBER, source, from);
  if (number !== undefined) return readNumber(source, from, number.to);
  if (first === '.') return readName(source, from + 1, 'any', false);
  const identifier = match(IDENTIFIER, source, from);
  if (identifier !== undefined) return readWord(source, from, identifier.to);
  for (let length = 3; length > 0; length--) {
    if (OPERATOR_TOKENS.has(source.slice(from, from + length))) return { kind: 'operator', to: from + length };
  }
  const character = String.fromCodePoint(source.codePointAt(from) ?? 0);
  return failure(from + character.length, `syntax error: unexpected ${JSON.stringify(character).slice(1, -1)}`);
}

function readWord(source: string, from: number, to: number): Read {
  const word = source.slice(from, to);
  if (source[to] === ':' && INTRINSIC_SCOPES.has(word)) return { kind: 'intrinsic-scope', to: to + 1 };
  if (source[to] !== '.') return { kind: 'identifier', to };
  if (word === 'parent') {
    const inner = /(span|resource)\./y;
    const scope = match(inner, source, to + 1);
    if (scope === undefined) return readName(source, to + 1, 'any', true);
    return readName(source, scope.to, scope.groups[1] === 'span' ? 'span' : 'resource', true);
  }
  const scope = ATTRIBUTE_SCOPES.get(word);
  return scope === undefined ? { kind: 'identifier', to } : readName(source, to + 1, scope, false);
}

/** The name of an attribute: up to a blank or an operator; parts of it may be in quotes. */
function readName(source: string, from: number, scope: AttributeScope, parent: boolean): Read {
  let name = '';
  let at = from;
  for (let character = source[at]; character !== undefined && !endsName(character); character = source[at]) {
    at++;
    if (character !== '"') {
      name += character;
      continue;
    }
    for (; source[at] !== '"'; at++) {
      if (source[at] === undefined) return failure(at, 'unexpected EOF, expecting "');
      if (source[at] === '\\' && source[++at] !== '"' && source[at] !== '\\') {
        return failure(at, 'invalid escape sequence');
      }
      name += source[at];
    }
    at++;
  }
  if (at === from) return { kind: 'error', message: 'syntax error: unexpected ., a name is missing', to: at };
  return { kind: 'attribute', scope, name, parent, to: at };
}

/** A number, or a duration where units follow it directly. */
function readNumber(source: string, from: number, to: number): Read {
  const run = match(DURATION, source, from);
  if (run !== undefined && run.to > to) {
    const value = parseDuration(source.slice(from, run.to));
    if (value !== undefined) return { kind: 'duration', value, to: run.to };
  }
  const digits = source.slice(from, to);
  if (digits.length > MAX_NUMBER_LENGTH) return failure(to, 'number too long');
  if (/^\d+$/.test(digits)) {
    const value = BigInt(digits);
    return value > MAX_INT ? failure(to, `value out of range: ${digits}`) : { kind: 'int', value, to };
  }
  const value = Number(digits);
  return Number.isFinite(value) ? { kind: 'float', value, to } : failure(to, `value out of range: ${digits}`);
}

function readString(source: string, from: number): Read {
  const unterminated = () => failure(source.length, 'literal not terminated');
  if (source[from] === '`') {
    const end = source.indexOf('`', from + 1);
    if (end === -1) return unterminated();
    return { kind: 'string', value: source.slice(from + 1, end).replaceAll('\r', ''), to: end + 1 };
  }
  let end = from + 1;
  for (; source[end] !== '"'; end++) {
    if (source[end] === '\\') end++;
    if (source[end] === undefined || source[end] === '\n') return unterminated();
  }
  const value = unescape(source.slice(from + 1, end));
  if (value === undefined) return failure(end + 1, 'invalid escape sequence');
  return { kind: 'string', value, to: end + 1 };
}

function failure(to: number, message: string): Read {
  return { kind: 'error', message, to };
}

function match(pattern: RegExp, source: string, from: number): { groups: RegExpExecArray; to: number } | undefined {
  pattern.lastIndex = from;
  const groups = pattern.exec(source);
  return groups === null ? undefined : { groups, to: pattern.lastIndex };
}
