import { VivaceError } from '@vivace/kernel';
import type { FieldExpression, Intrinsic, Query, Static, Status } from './ast.ts';
import { parseGoDuration } from './duration.ts';
import { parseField } from './parse.ts';
import { unescape } from './string-literal.ts';
import { writtenAttribute } from './tokens.ts';

/**
 * The search from before TraceQL: `tags=service.name=a http.status_code=200`, `minDuration=1s`. It is answered by
 * the TraceQL query that asks for the same.
 */

/** By name; undefined for a tag that only has to be there. */
export type Tags = ReadonlyMap<string, string | undefined>;

const MAX_TAGS_LENGTH = 64 * 1024;
const MAX_TAGS = 100;
const PLACE = { from: 0, to: 0 };

function tagsError(message: string): VivaceError {
  return new VivaceError('invalid', 'tags', `invalid tags: ${message}`);
}

/** Reads `k=v k2="v v" k3` (logfmt). Throws an `invalid` error with the place, counted from 1, for what is not that. */
export function parseTags(text: string): Map<string, string | undefined> {
  if (text.length > MAX_TAGS_LENGTH) throw tagsError(`longer than ${MAX_TAGS_LENGTH} characters`);
  const tags = new Map<string, string | undefined>();
  const blanks = /[\0- ]*/y;
  const word = /[^\0- ="]*/y;
  for (let at = endOf(blanks, text, 0); at < text.length; at = endOf(blanks, text, at)) {
    const keyEnd = endOf(word, text, at);
    const key = text.slice(at, keyEnd);
    if (key === '' || text[keyEnd] === '"') throw unexpectedAt(text, keyEnd);
    const value = text[keyEnd] === '=' ? readValue(text, keyEnd + 1, word) : { value: undefined, to: keyEnd };
    if (tags.has(key)) throw tagsError(`the key is given twice: ${key.slice(0, 100)}`);
    if (tags.size === MAX_TAGS) throw tagsError(`more than ${MAX_TAGS}`);
    tags.set(key, value.value);
    at = value.to;
  }
  return tags;
}

function readValue(text: string, from: number, word: RegExp): { value: string; to: number } {
  if (text[from] !== '"') {
    const to = endOf(word, text, from);
    if (text[to] === '=' || text[to] === '"') throw unexpectedAt(text, to);
    return { value: text.slice(from, to), to };
  }
  let end = from + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  if (end >= text.length) throw tagsError(`unterminated quoted value at pos ${text.length + 1}`);
  const value = unescape(text.slice(from + 1, end));
  if (value === undefined) throw tagsError(`invalid quoted value at pos ${from + 1}`);
  const next = text[end + 1];
  if (next !== undefined && next > ' ') throw unexpectedAt(text, end + 1);
  return { value, to: end + 1 };
}

function unexpectedAt(text: string, at: number): VivaceError {
  return tagsError(`unexpected '${text[at]}' at pos ${at + 1}`);
}

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  pattern.test(text);
  return pattern.lastIndex;
}

/** Of the duration of the trace, both included. */
export interface DurationBounds {
  minNanos: bigint | undefined;
  maxNanos: bigint | undefined;
}

/** Reads `minDuration` and `maxDuration`, durations as Go writes them; absent and empty is no bound. */
export function durationBounds(min: string | undefined, max: string | undefined): DurationBounds {
  const minNanos = readDuration('minDuration', min);
  const maxNanos = readDuration('maxDuration', max);
  if (minNanos !== undefined && maxNanos !== undefined && maxNanos < minNanos) {
    throw durationError('maxDuration', 'must be greater than minDuration');
  }
  return { minNanos, maxNanos };
}

function readDuration(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined || text === '') return undefined;
  const nanos = parseGoDuration(text);
  if (nanos === undefined) throw durationError(name, `time: invalid duration ${JSON.stringify(text.slice(0, 100))}`);
  return nanos;
}

function durationError(name: string, message: string): VivaceError {
  return new VivaceError('invalid', 'duration', `invalid ${name}: ${message}`);
}

/** The query for spans that have all of the tags, in traces that last so long. */
export function tagQuery(tags: Tags, { minNanos, maxNanos }: DurationBounds): Query {
  const conditions = [...tags].map(([key, value]) => tagCondition(key, value));
  for (const [operator, nanos] of [['>=', minNanos] as const, ['<=', maxNanos] as const]) {
    if (nanos === undefined) continue;
    const right: FieldExpression = { kind: 'static', value: { type: 'duration', value: nanos }, ...PLACE };
    conditions.push({ kind: 'binary', operator, left: intrinsic('trace:duration'), right, ...PLACE });
  }
  const expression = conditions.length === 0 ? undefined : conditions.reduce((left, right) => both(left, '&&', right));
  const pipeline = { stages: [{ kind: 'filter' as const, expression, ...PLACE }], ...PLACE };
  return { pipeline, metrics: undefined, secondStages: [], hints: [], ...PLACE };
}

const INTRINSICS: ReadonlyMap<string, Intrinsic> = new Map([
  ['name', 'span:name'],
  ['root.name', 'trace:rootName'],
  ['root.service.name', 'trace:rootService'],
]);
/** As words and as the numbers of OTLP. */
const STATUSES: ReadonlyMap<string, Status> = new Map([
  ['unset', 'unset'],
  ['ok', 'ok'],
  ['error', 'error'],
  ['0', 'unset'],
  ['1', 'ok'],
  ['2', 'error'],
]);

function tagCondition(key: string, value: string | undefined): FieldExpression {
  const name = INTRINSICS.get(key);
  const field: FieldExpression = name === undefined ? attribute(key) : intrinsic(name);
  if (value === undefined) return compare(field, '!=', { type: 'nil' });
  if (key === 'error' && value === 'true') return compare(intrinsic('span:status'), '=', status('error'));
  const code = key === 'status.code' ? STATUSES.get(value.toLowerCase()) : undefined;
  if (code !== undefined) return compare(intrinsic('span:status'), '=', status(code));
  const text = compare(field, '=', { type: 'string', value });
  if (name !== undefined) return text;
  const typed = typedValue(value);
  return typed === undefined ? text : both(text, '||', compare(field, '=', typed));
}

/** The number or truth value that is written so; the type of an attribute is not known here. */
function typedValue(text: string): Static | undefined {
  if (text === 'true' || text === 'false') return { type: 'bool', value: text === 'true' };
  if (/^-?\d{1,19}$/.test(text)) {
    const value = BigInt(text);
    if (BigInt.asIntN(64, value) === value) return { type: 'int', value };
  }
  if (!/^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { type: 'float', value } : undefined;
}

function status(value: Status): Static {
  return { type: 'status', value };
}

function attribute(name: string): FieldExpression {
  return { kind: 'attribute', scope: 'any', name, text: writtenAttribute('any', name), ...PLACE };
}

function intrinsic(name: Intrinsic): FieldExpression {
  return { ...parseField(name), ...PLACE };
}

function compare(left: FieldExpression, operator: '=' | '!=', value: Static): FieldExpression {
  return { kind: 'binary', operator, left, right: { kind: 'static', value, ...PLACE }, ...PLACE };
}

function both(left: FieldExpression, operator: '&&' | '||', right: FieldExpression): FieldExpression {
  return { kind: 'binary', operator, left, right, ...PLACE };
}
