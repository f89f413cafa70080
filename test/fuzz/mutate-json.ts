import type { Random } from '@vivace/kernel';
import { below, oneIn, pick } from './fuzz-target.ts';
import { mutateBytes } from './mutate-bytes.ts';

/** Values as they stand in the text, right and wrong. */
const VALUES = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1e3',
  '1E400',
  '-1e-400',
  '0.1',
  '10.0',
  '01',
  '1.',
  '.5',
  '+1',
  '0x10',
  'NaN',
  '-Infinity',
  '9007199254740993',
  '18446744073709551615',
  '18446744073709551616',
  '-9223372036854775808',
  '-9223372036854775809',
  '4294967296',
  '""',
  '"NaN"',
  '"Infinity"',
  '"-Infinity"',
  '"1e2"',
  '" 7"',
  '"18446744073709551615"',
  '"-9223372036854775808"',
  '"0123456789abcdef0123456789ABCDEF"',
  '"0123456789abcdef"',
  '"abc"',
  '"AAE="',
  '"A-_w"',
  '"=="',
  '"SPAN_KIND_SERVER"',
  '"STATUS_CODE_ERROR"',
  '"\\u0000"',
  '"\\ud83d\\ude00"',
  '"\\ud83d"',
  '"\\q"',
  '"\\',
  '"\n"',
  '{}',
  '[]',
  '[{}]',
  '[null]',
  '[[]]',
  '{"":0}',
  '{"__proto__":{}}',
];

const KEYS = [
  '"resourceSpans"',
  '"resource_spans"',
  '"scopeSpans"',
  '"spans"',
  '"traceId"',
  '"span_id"',
  '"kind"',
  '"attributes"',
  '"key"',
  '"value"',
  '"intValue"',
  '"doubleValue"',
  '"bytesValue"',
  '"arrayValue"',
  '"kvlistValue"',
  '"values"',
  '"status"',
  '"code"',
  '"flags"',
  '"startTimeUnixNano"',
  '"__proto__"',
  '"\\u006bey"',
  '""',
];

/** Mutates JSON token by token, sometimes byte by byte on top; `other` lends tokens. */
export function mutateJson(random: Random, text: Uint8Array, other: Uint8Array): Uint8Array {
  const tokens = tokensOf(text);
  const lent = tokensOf(other);
  for (let times = 1 + below(random, oneIn(random, 3) ? 10 : 3); times > 0; times--) mutateTokens(random, tokens, lent);
  const bytes = new Uint8Array(Buffer.from(tokens.join(''), 'latin1'));
  return oneIn(random, 4) ? mutateBytes(random, bytes, other) : bytes;
}

/** Strings, numbers and words, and every other byte alone; as latin1, so that each byte stays what it is. */
function tokensOf(text: Uint8Array): string[] {
  return (
    Buffer.from(text)
      .toString('latin1')
      .match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|[^]/g) ?? []
  );
}

function mutateTokens(random: Random, tokens: string[], lent: readonly string[]): void {
  const at = below(random, tokens.length);
  const member = pick(random, membersOf(tokens)) as number | undefined;
  if (member === undefined || oneIn(random, 5)) {
    breakTokens(random, tokens, lent, at);
    return;
  }
  // What follows keeps brackets in pairs: the text stays JSON, and what it says changes.
  const valueAt = member + 2;
  const end = valueEnd(tokens, valueAt);
  switch (below(random, 7)) {
    case 0:
      tokens[member] = pick(random, KEYS);
      return;
    case 1:
      tokens.splice(valueAt, end - valueAt, nested(random, tokens.slice(valueAt, end).join('')));
      return;
    case 2:
      tokens.splice(member, 0, ...tokens.slice(member, end), ',');
      return;
    case 3: {
      const from = pick(random, membersOf(lent)) as number | undefined;
      if (from !== undefined) tokens.splice(member, 0, ...lent.slice(from, valueEnd(lent, from + 2)), ',');
      return;
    }
    case 4: {
      const from = pick(random, membersOf(lent)) as number | undefined;
      if (from !== undefined) {
        tokens.splice(valueAt, end - valueAt, ...lent.slice(from + 2, valueEnd(lent, from + 2)));
      }
      return;
    }
    default:
      tokens.splice(valueAt, end - valueAt, pick(random, VALUES));
  }
}

/** Where the members of objects begin: a name, a colon, a value. */
function membersOf(tokens: readonly string[]): number[] {
  return tokens.flatMap((token, i) => (token === ':' && i > 0 && i + 1 < tokens.length ? [i - 1] : []));
}

/** The place after the value at `at`, brackets in pairs. */
function valueEnd(tokens: readonly string[], at: number): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    if (tokens[i] === '{' || tokens[i] === '[') depth++;
    else if (tokens[i] === '}' || tokens[i] === ']') depth--;
    if (depth <= 0) return i + 1;
  }
  return tokens.length;
}

function nested(random: Random, value: string): string {
  const depth = oneIn(random, 3) ? 1 + below(random, 400) : 1 + below(random, 4);
  const [open, close] = pick(random, [
    ['[', ']'],
    ['{"a":', '}'],
    ['{"arrayValue":{"values":[', ']}}'],
    ['{"kvlistValue":{"values":[{"key":"k","value":', '}]}}'],
  ]) as [string, string];
  return open.repeat(depth) + value + close.repeat(depth);
}

function breakTokens(random: Random, tokens: string[], lent: readonly string[], at: number): void {
  switch (below(random, 4)) {
    case 0:
      tokens.splice(at, 1);
      return;
    case 1: {
      const from = below(random, lent.length);
      tokens.splice(at, below(random, 4), ...lent.slice(from, from + 1 + below(random, 20)));
      return;
    }
    case 2: {
      const odd = [' ', '\t\n', ',', ':', '{', '}', '[', ']', '\u0000', '\u00ef\u00bb\u00bf', '/**/'];
      tokens.splice(at, 0, pick(random, odd));
      return;
    }
    default:
      tokens.length = at;
  }
}
