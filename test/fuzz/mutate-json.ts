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
  switch (below(random, 9)) {
    case 0:
      tokens.splice(at, 1);
      return;
    case 1:
      tokens.splice(at, 0, ...tokens.slice(at, at + 1 + below(random, 20)));
      return;
    case 2: {
      const from = below(random, lent.length);
      tokens.splice(at, below(random, 4), ...lent.slice(from, from + 1 + below(random, 20)));
      return;
    }
    case 3: {
      // An object or array in the place of another value, or a value nested in arrays or objects.
      const depth = oneIn(random, 3) ? 1 + below(random, 400) : 1 + below(random, 4);
      const [open, close] = pick(random, [
        ['[', ']'],
        ['{"a":', '}'],
        ['{"arrayValue":{"values":[', ']}}'],
        ['{"kvlistValue":{"values":[{"key":"k","value":', '}]}}'],
      ]) as [string, string];
      tokens[at] = open.repeat(depth) + (tokens[at] as string) + (oneIn(random, 8) ? '' : close.repeat(depth));
      return;
    }
    case 4: {
      const places = tokens.flatMap((token, i) => (token === ':' ? [i] : []));
      const colon = pick(random, places) as number | undefined;
      if (colon !== undefined) tokens[colon - 1] = pick(random, KEYS);
      return;
    }
    case 5:
      tokens.splice(
        at,
        0,
        pick(random, [' ', '\t\n', ',', ':', '{', '}', '[', ']', '\u0000', '\u00ef\u00bb\u00bf', '/**/']),
      );
      return;
    case 6:
      tokens.length = at;
      return;
    default: {
      const places = tokens.flatMap((token, i) => (token === ':' ? [i + 1] : []));
      const value = pick(random, places) as number | undefined;
      if (value !== undefined && value < tokens.length) tokens[value] = pick(random, VALUES);
    }
  }
}
