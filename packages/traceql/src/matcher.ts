/** Answers whether a text, the whole of it, is what a pattern says. */
export interface Matcher {
  test(text: string): boolean;
  /** What a text must have in it to be one: all of them, the longest first. */
  readonly required?: readonly string[];
}
