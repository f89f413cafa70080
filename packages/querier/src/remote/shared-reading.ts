import { orAborted } from '@vivace/kernel';

interface Reading {
  abort: AbortController;
  waiting: number;
  hasBegun: boolean;
  done: Promise<void>;
}

/**
 * One reading at a time, which all who come before it begins wait for. Who comes later waits for the next: a reading
 * under way may have passed what they must see. It ends when nobody waits for it any more.
 */
export class SharedReading {
  readonly #read: (signal: AbortSignal) => Promise<void>;
  #last: Reading | undefined;

  constructor(read: (signal: AbortSignal) => Promise<void>) {
    this.#read = read;
  }

  /** Resolves when a reading has ended that was begun after the call. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const reading = this.#joinable() ?? this.#begin();
    reading.waiting++;
    try {
      await orAborted(reading.done, signal);
    } finally {
      reading.waiting--;
      if (reading.waiting === 0) reading.abort.abort();
    }
  }

  /** Whether one is under way, or about to begin. */
  get isBusy(): boolean {
    return this.#last !== undefined;
  }

  /** Resolves when no reading is under way. */
  async idle(): Promise<void> {
    await this.#last?.done.catch(() => undefined);
  }

  #joinable(): Reading | undefined {
    const last = this.#last;
    return last === undefined || last.hasBegun || last.abort.signal.aborted ? undefined : last;
  }

  #begin(): Reading {
    const before = this.idle();
    const abort = new AbortController();
    const reading: Reading = { abort, waiting: 0, hasBegun: false, done: Promise.resolve() };
    reading.done = before.then(() => {
      reading.hasBegun = true;
      abort.signal.throwIfAborted();
      return this.#read(abort.signal);
    });
    this.#last = reading;
    const end = (): void => {
      if (this.#last === reading) this.#last = undefined;
    };
    // Who waits hears of failures.
    reading.done.then(end, end);
    return reading;
  }
}
