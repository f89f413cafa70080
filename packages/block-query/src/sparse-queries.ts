/** So often a query is not tried again among few traces: what comes in later may be other. */
const SKIPS = 16;
const MAX_QUERIES = 256;
const MAX_TEXT = 1000;

/** Queries, by their text, of which the newest traces did not fill a page. */
export class SparseQueries {
  readonly #skips = new Map<string, number>();

  get size(): number {
    return this.#skips.size;
  }

  add(text: string): void {
    if (text.length > MAX_TEXT) return;
    this.#skips.delete(text);
    this.#skips.set(text, SKIPS);
    if (this.#skips.size > MAX_QUERIES) this.#skips.delete(this.#skips.keys().next().value as string);
  }

  /** Whether a query is better asked of all traces at once. */
  has(text: string): boolean {
    const left = this.#skips.get(text);
    if (left === undefined) return false;
    if (left === 1) this.#skips.delete(text);
    else this.#skips.set(text, left - 1);
    return true;
  }
}
