import { VivaceError } from '@vivace/kernel';

/** Holds the queries that run at the same time to a number; what is over it is refused, as the engine queues its own work. */
export class QueryGate {
  private running = 0;
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** Runs `work` in `places`, one for each tenant that it asks; they are free when the work has ended, not when its caller gave up. */
  async run<T>(places: number, work: () => Promise<T>): Promise<T> {
    if (this.running + places > this.max) {
      throw new VivaceError('limited', 'too-many-queries', `too many queries are running: max ${this.max}`, {
        retryAfterMs: 1000,
      });
    }
    this.running += places;
    try {
      return await work();
    } finally {
      this.running -= places;
    }
  }
}
