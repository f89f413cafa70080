import { RE2JS } from 're2js';
import { literalMatcher } from './literal-pattern.ts';
import type { Matcher } from './matcher.ts';

const MAX_PATTERN_LENGTH = 16 * 1024;
/**
 * Time a character is at most in proportion to it; `a{1000}` makes it large. 100,000 characters then take 2 s at
 * worst.
 */
const MAX_PROGRAM_SIZE = 5000;
/**
 * The automaton that the engine builds while it matches is forgotten beyond this, in bytes. Usual patterns need a
 * tenth of it; by default it is 8 MiB, which a hostile pattern fills.
 */
const MAX_AUTOMATON_BYTES = 256 * 1024;
const MAX_CACHED = 64;
/** Of all patterns that are kept, in characters and steps. */
const MAX_CACHED_COST = 128 * 1024;

interface Kept {
  matcher: Matcher;
  cost: number;
}

/** In the order of their last use. */
const cache = new Map<string, Kept>();
let cachedCost = 0;

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
    return known.matcher;
  }
  const literal = literalMatcher(pattern);
  const kept = literal === undefined ? compile(pattern) : { matcher: literal, cost: pattern.length };
  cache.set(pattern, kept);
  cachedCost += kept.cost;
  for (const [oldest, { cost }] of cache) {
    if (cache.size <= MAX_CACHED && cachedCost <= MAX_CACHED_COST) break;
    cache.delete(oldest);
    cachedCost -= cost;
  }
  return kept.matcher;
}

/** The engine for any pattern. */
export function generalMatcher(pattern: string): Matcher {
  return compile(pattern).matcher;
}

function compile(pattern: string): Kept {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new Error(`the pattern has ${pattern.length} characters, ${MAX_PATTERN_LENGTH} are allowed`);
  }
  const compiled = engineOf(pattern);
  const size = compiled.programSize();
  if (size > MAX_PROGRAM_SIZE) throw new Error(`the pattern takes ${size} steps, ${MAX_PROGRAM_SIZE} are allowed`);
  const automaton = compiled.re2().dfa;
  automaton.maxMem = MAX_AUTOMATON_BYTES;
  automaton.stateBudget = MAX_AUTOMATON_BYTES;
  automaton.memBudget = MAX_AUTOMATON_BYTES;
  return { matcher: { test: (text) => compiled.testExact(text) }, cost: pattern.length + size };
}

function engineOf(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    // The engine shows the flag as if it stood in the pattern.
    throw new Error(error instanceof Error ? error.message.replace('`(?s)', '`') : String(error), { cause: error });
  }
}
