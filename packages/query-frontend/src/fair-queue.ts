import { orAborted, VivaceError } from '@vivace/kernel';

export interface FairQueueOptions {
  /** Tasks that run at the same time, over all tenants. */
  maxRunning: number;
  /** Tasks of one tenant that wait. */
  maxWaiting: number;
}

/**
 * Runs tasks in turns of their tenants: however many one tenant has waiting, another waits for one task of each
 * tenant at most.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  /** Starts of tasks by tenant, in the order of turns: a tenant that had one goes to the end. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #running = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    let waiting = 0;
    for (const queue of this.#waiting.values()) waiting += queue.length;
    return waiting;
  }

  /**
   * Waits for the tenant's turn; resolves with what must be called when the task has ended. Rejects with `limited`
   * where too many of the tenant wait, and with the reason of `signal` while it waits.
   */
  async enter(tenant: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.#options.maxRunning) await this.#turn(tenant, signal);
    else this.#running++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#running--;
      this.#next();
    };
  }

  async #turn(tenant: string, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(tenant) ?? [];
    if (queue.length >= this.#options.maxWaiting) {
      throw new VivaceError('limited', 'query-queue', `too many queries of the tenant are waiting: ${queue.length}`, {
        retryAfterMs: 1000,
      });
    }
    this.#waiting.set(tenant, queue);
    const { promise: turn, resolve } = Promise.withResolvers<void>();
    let started = false;
    const start = (): void => {
      started = true;
      resolve();
    };
    queue.push(start);
    try {
      await orAborted(turn, signal);
    } catch (error) {
      if (started) {
        // It was given its turn at the moment when it gave up.
        this.#running--;
        this.#next();
      } else {
        this.#leave(tenant, start);
      }
      throw error;
    }
  }

  /** Who gives up makes room for others of the tenant. */
  #leave(tenant: string, start: () => void): void {
    const queue = this.#waiting.get(tenant) ?? [];
    const left = queue.filter((other) => other !== start);
    if (left.length > 0) this.#waiting.set(tenant, left);
    else this.#waiting.delete(tenant);
  }

  #next(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [tenant, queue] = first;
    const start = queue.shift();
    this.#waiting.delete(tenant);
    if (queue.length > 0) this.#waiting.set(tenant, queue);
    this.#running++;
    start?.();
  }
}
