import { RE2JS } from 're2js';
import { literalMatcher } from './literal-pattern.ts';

/** Answers whether a text, the whole of it, is what a pattern says. */
export interface Matcher {
  test(text: string): boolean;
}

const MAX_PATTERN_LENGTH = 16 * 1024;
/** Time a character is at most in proportion to it; `a{1000}` makes it large. 100,000 characters then take 2 s at worst. */
const MAX_PROGRAM_SIZE = 5000;
const MAX_CACHED = 256;
/** Length of all patterns that are kept. */
const MAX_CACHED_LENGTH = 256 * 1024;

/** In the order of their last use. */
const cache = new Map<string, Matcher>();
let cachedLength = 0;

/**
 * A regular expression of RE2 as `=~` takes it: it is matched with the whole text, and `.` with every character,
 * also with a line break. Whatever the pattern and the text, time grows with the length of the text only.
 * Throws an Error for what is no pattern, or too large a one.
 */
export function compilePattern(pattern: string): Matcher {
  const known = cache.get(pattern);
  if (known !== undefined) {
    cache.delete(pattern);
    cache.set(pattern, known);
    return known;
  }
  const matcher = literalMatcher(pattern) ?? generalMatcher(pattern);
  cache.set(pattern, matcher);
  cachedLength += pattern.length;
  for (const oldest of cache.keys()) {
    if (cache.size <= MAX_CACHED && cachedLength <= MAX_CACHED_LENGTH) break;
    cache.delete(oldest);
    cachedLength -= oldest.length;
  }
  return matcher;
}

/** The engine for any pattern. */
export function generalMatcher(pattern: string): Matcher {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new Error(`the pattern has ${pattern.length} characters, ${MAX_PATTERN_LENGTH} are allowed`);
  }
  const compiled = compile(pattern);
  const size = compiled.programSize();
  if (size > MAX_PROGRAM_SIZE) throw new Error(`the pattern takes ${size} steps, ${MAX_PROGRAM_SIZE} are allowed`);
  return { test: (text) => compiled.testExact(text) };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    // The engine shows the flag as if it stood in the pattern.
    throw new Error(error instanceof Error ? error.message.replace('`(?s)', '`') : String(error), { cause: error });
  }
}
