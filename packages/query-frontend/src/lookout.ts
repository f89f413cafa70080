import type { Member } from '@vivace/cluster';
import { type Clock, orAborted, toVivaceError, VivaceError } from '@vivace/kernel';

export interface LookoutOptions {
  /** The queriers. */
  members: () => readonly Member[];
  /** Resolves when the querier answers; rejects, within seconds, where it does not. */
  reach: (member: Member) => Promise<void>;
  /** Told again and again while nobody answers: those who do may have other addresses by now. */
  lookUp: () => void;
  clock: Clock;
  /** What a query may take in all. */
  timeoutMs: number;
  /** Default 256: as many calls as a querier takes at a time on the connection of one frontend. */
  maxWaiting?: number;
}

/**
 * How long a query waits for a querier: longer than one that was killed needs to start again, and short enough that who
 * has tried again after it still has an answer within the thirty seconds that Grafana waits.
 */
const MAX_WAIT_MS = 5000;
/** While somebody waits. A connection that is refused costs next to nothing. */
const LOOK_EVERY_MS = 500;
const MAX_WAITING = 256;
const ASK_AGAIN = { retryAfterMs: 1000 };

/** Where queries wait while no querier is there: all are looked for at the same time, and the first that answers has them. */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #maxWaitMs: number;
  readonly #waiting = new Set<(member: Member) => void>();
  /** Addresses of which an answer is waited for. */
  readonly #reaching = new Set<string>();
  #cancel: () => void = () => undefined;
  /** Why the last one that was looked for is not there. */
  #reason = 'none is known';

  constructor(options: LookoutOptions) {
    this.#options = options;
    // The rest is for the answer.
    this.#maxWaitMs = Math.min(MAX_WAIT_MS, options.timeoutMs / 2);
  }

  /** Queries that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Until when a query waits that begins to do so now. */
  untilMs(): number {
    return this.#options.clock.monotonicMs() + this.#maxWaitMs;
  }

  /** The first querier that answers; `unavailable` where none has until then, or too many wait. */
  async first(untilMs: number, signal: AbortSignal): Promise<Member> {
    const { clock, maxWaiting = MAX_WAITING } = this.#options;
    signal.throwIfAborted();
    if (this.#waiting.size >= maxWaiting) {
      throw new VivaceError(
        'unavailable',
        'no-querier',
        `no querier can be reached, and ${maxWaiting} queries wait for one already: ${this.#reason}`,
        ASK_AGAIN,
      );
    }
    const { promise: found, resolve, reject } = Promise.withResolvers<Member>();
    const giveUp = () =>
      reject(
        new VivaceError(
          'unavailable',
          'no-querier',
          `no querier could be reached in ${this.#maxWaitMs / 1000} s: ${this.#reason}`,
          ASK_AGAIN,
        ),
      );
    const cancel = clock.after(Math.max(0, untilMs - clock.monotonicMs()), giveUp);
    this.#waiting.add(resolve);
    if (this.#waiting.size === 1) this.#look();
    try {
      return await orAborted(found, signal);
    } finally {
      cancel();
      this.#waiting.delete(resolve);
      if (this.#waiting.size === 0) this.#cancel();
    }
  }

  #look(): void {
    this.#cancel();
    const { members, lookUp, clock } = this.#options;
    for (const member of members()) if (!this.#reaching.has(member.address)) void this.#reach(member);
    lookUp();
    this.#cancel = clock.after(LOOK_EVERY_MS, () => this.#look());
  }

  async #reach(member: Member): Promise<void> {
    this.#reaching.add(member.address);
    try {
      await this.#options.reach(member);
      for (const resolve of this.#waiting) resolve(member);
      this.#waiting.clear();
    } catch (error) {
      this.#reason = toVivaceError(error).message;
    } finally {
      this.#reaching.delete(member.address);
    }
  }
}
