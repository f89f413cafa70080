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
  #waiting: AbortController | undefined;
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
    this.#waiting = new AbortController();
    await this.#clock.sleep(waitMs, this.#waiting.signal).catch(() => undefined);
    this.#waiting = undefined;
  }

  /** Ends the wait that is going on: enough is there. */
  open(): void {
    // No error, which would be made with a stack that nobody looks at.
    this.#waiting?.abort('enough is there');
  }

  /** Nothing waits any more. */
  stop(): void {
    this.#stopped = true;
    this.open();
  }
}
