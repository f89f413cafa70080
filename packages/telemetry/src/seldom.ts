const AGAIN_AFTER_MS = 60_000;
const MAX_REMEMBERED = 1000;

/**
 * Says of things that are met again and again when they are to be told: each once a minute. With a store that is away
 * or a block that is damaged every request meets it.
 */
export class Seldom {
  readonly #clock: { monotonicMs(): number };
  readonly #toldMs = new Map<string, number>();

  constructor(clock: { monotonicMs(): number }) {
    this.#clock = clock;
  }

  /** Whether this is to be told now; then it is not for a minute. */
  isDue(what: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < AGAIN_AFTER_MS) return false;
    if (this.#toldMs.size >= MAX_REMEMBERED) this.#toldMs.clear();
    this.#toldMs.set(what, nowMs);
    return true;
  }
}
