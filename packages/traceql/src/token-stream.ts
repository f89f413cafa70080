import type { VivaceError } from '@vivace/kernel';
import type { Place } from './ast.ts';
import { KEYWORDS } from './intrinsics.ts';
import { tokenize } from './lexer.ts';
import { meaningError, syntaxError } from './parse-error.ts';
import type { Token } from './tokens.ts';

/** Parentheses and operators before an operand, one inside another: each takes a few frames of the stack. */
const MAX_NESTING = 200;
/** Of the tree: whoever walks it may do so by recursion. A chain of `||` is as deep as it is long. */
const MAX_TREE_DEPTH = 1000;
const MAX_NODES = 20_000;

/** The tokens of a query, read one after another, and the limits on what is made of them. */
export class TokenStream {
  readonly source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #nesting = 0;
  #nodes = 0;
  readonly #depths = new WeakMap<object, number>();

  constructor(source: string, tokens: readonly Token[] = tokenize(source)) {
    this.source = source;
    this.#tokens = tokens;
  }

  /** The next token, or one behind it. At the end it is the last one for ever. */
  peek(ahead = 0): Token {
    const { length } = this.#tokens;
    return this.#tokens[Math.min(this.#next + ahead, length - 1)] as Token;
  }

  /** Where the token before the next one ends. */
  get end(): number {
    return this.#next === 0 ? 0 : (this.#tokens[this.#next - 1] as Token).to;
  }

  next(): Token {
    const token = this.peek();
    if (token.kind === 'error') throw this.unexpected();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  /** Whether the next token is this operator or word. */
  at(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.text === text && (token.kind === 'operator' || token.kind === 'identifier');
  }

  /** Takes the next token if it is this operator or word. */
  take(text: string): boolean {
    if (!this.at(text)) return false;
    this.#next++;
    return true;
  }

  expect(text: string): Token {
    if (!this.at(text)) throw this.unexpected(text);
    return this.next();
  }

  /** The error for a next token that cannot stand here. */
  unexpected(expected?: string): VivaceError {
    const token = this.peek();
    if (token.kind === 'error') return syntaxError(this.source, token, token.message);
    if (token.kind === 'identifier' && !KEYWORDS.has(token.text)) {
      return syntaxError(this.source, token, `unknown identifier: ${shortened(token.text)}`);
    }
    const found = token.kind === 'end' ? '$end' : shortened(token.text);
    const hint = expected === undefined ? '' : `, expecting ${expected}`;
    return syntaxError(this.source, token, `syntax error: unexpected ${found}${hint}`);
  }

  /** The error for what reads but cannot be. */
  wrong(place: Place, message: string): VivaceError {
    return meaningError(this.source, place, message);
  }

  /** Runs a parser one level deeper. */
  nested<T>(parse: () => T): T {
    if (this.#nesting === MAX_NESTING) {
      throw this.wrong(this.peek(), `expressions are nested deeper than ${MAX_NESTING} levels`);
    }
    this.#nesting++;
    const result = parse();
    this.#nesting--;
    return result;
  }

  /** Counts a node of the tree and its depth over its children. */
  node<const T extends Place>(node: T, ...children: object[]): T {
    if (++this.#nodes > MAX_NODES) throw this.wrong(node, `the query has more than ${MAX_NODES} terms`);
    const depth = 1 + Math.max(0, ...children.map((child) => this.#depths.get(child) ?? 0));
    if (depth > MAX_TREE_DEPTH) {
      throw this.wrong(node, `more than ${MAX_TREE_DEPTH} operators stand one upon another`);
    }
    this.#depths.set(node, depth);
    return node;
  }
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
