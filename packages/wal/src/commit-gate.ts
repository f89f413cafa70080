import type { Clock } from '@vivace/kernel';

/**
 * Spaces groups. Records that arrived while a group was written wait until `delayMs` after its beginning, so that
 * the number and the cost of syncs do not grow with the rate; a record that finds nothing in flight never waits,
 * so a client that waits for each ack gets it at the speed of the disk.
 */
export class CommitGate {
  readonly #clock: Clock;
  readonly #delayMs: number;
  #beganMs = 0;
  /** Ends the wait that is going on. */
  #end: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** A group begins to be written. */
  begin(): void {
    this.#beganMs = this.#clock.monotonicMs();
  }

  /** Until the next group may begin, or `open`. */
  async wait(): Promise<void> {
    const waitMs = this.#beganMs + this.#delayMs - this.#clock.monotonicMs();
    if (this.#stopped || waitMs <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(waitMs, resolve);
    this.#end = resolve;
    await promise;
    this.#end = undefined;
    cancel();
  }

  /** Ends the wait that is going on: enough is there. */
  open(): void {
    this.#end?.();
  }

  /** Nothing waits any more. */
  stop(): void {
    this.#stopped = true;
    this.open();
  }
}
