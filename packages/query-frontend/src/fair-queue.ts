import { orAborted, VivaceError } from '@vivace/kernel';

export interface FairQueueOptions {
  /** Tasks that run at the same time, over all tenants. */
  maxRunning: number;
  /** Tasks of one tenant that wait. */
  maxWaiting: number;
}

interface Waiting {
  start: () => void;
  signal: AbortSignal;
}

/**
 * Runs tasks in turns of their tenants: however many one tenant has waiting, another waits for one task of each
 * tenant at most.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  /** In the order of turns: a tenant that had one goes to the end. */
  readonly #waiting = new Map<string, Waiting[]>();
  #running = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Rejects with `limited` where too many of the tenant wait, and with the reason of `signal` while it waits. */
  async run<T>(tenant: string, task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#running >= this.#options.maxRunning) await this.#turn(tenant, signal);
    else this.#running++;
    try {
      return await task();
    } finally {
      this.#running--;
      this.#next();
    }
  }

  async #turn(tenant: string, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(tenant) ?? [];
    if (queue.length >= this.#options.maxWaiting) {
      throw new VivaceError('limited', 'query-queue', `too many queries of the tenant are waiting: ${queue.length}`, {
        retryAfterMs: 1000,
      });
    }
    this.#waiting.set(tenant, queue);
    let started = false;
    const turn = new Promise<void>((resolve) => {
      queue.push({
        signal,
        start: () => {
          started = true;
          resolve();
        },
      });
    });
    try {
      await orAborted(turn, signal);
    } catch (error) {
      // It was given its turn at the moment when it gave up.
      if (started) {
        this.#running--;
        this.#next();
      }
      throw error;
    }
  }

  #next(): void {
    for (const [tenant, queue] of this.#waiting) {
      const next = queue.shift();
      this.#waiting.delete(tenant);
      if (queue.length > 0) this.#waiting.set(tenant, queue);
      if (next === undefined || next.signal.aborted) {
        this.#next();
        return;
      }
      this.#running++;
      next.start();
      return;
    }
  }
}
