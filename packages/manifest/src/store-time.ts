import type { Clock } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';

const MAX_AGE_MS = 60_000;

/** The store's clock, from its last answer and the time since then: ids are made with it, never with ours. */
export class StoreTime {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #clock: Clock;
  #atMs = Number.NEGATIVE_INFINITY;
  #storeMs = 0;

  /** `key`: any key; a LIST of it is asked when there was no answer for a minute. */
  constructor({ store, key, clock }: { store: ObjectStore; key: string; clock: Clock }) {
    this.#store = store;
    this.#key = key;
    this.#clock = clock;
  }

  /** Milliseconds since 1970; behind by the time that answers take. */
  async nowMs(signal: AbortSignal): Promise<number> {
    if (this.#clock.monotonicMs() - this.#atMs > MAX_AGE_MS) await this.ask(signal);
    return Math.floor(this.#storeMs + (this.#clock.monotonicMs() - this.#atMs));
  }

  /** The store's own answer, not older than this call. */
  async ask(signal: AbortSignal): Promise<number> {
    const { storeTimeMs } = await this.#store.list(this.#key, { limit: 1, signal });
    this.#storeMs = storeTimeMs;
    this.#atMs = this.#clock.monotonicMs();
    return storeTimeMs;
  }
}
