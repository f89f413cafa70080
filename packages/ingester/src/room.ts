import { type Clock, VivaceError } from '@vivace/kernel';

const MAX_WAITERS = 1024;

/**
 * The heads' memory budget. A request waits a moment for room before it is refused: a short peak costs the
 * sender some latency, not a retry.
 */
export class Room {
  readonly #maxBytes: number;
  readonly #waitMs: number;
  readonly #clock: Clock;
  #used = 0;
  readonly #waiters = new Set<() => void>();

  constructor(options: { maxBytes: number; waitMs: number; clock: Clock }) {
    this.#maxBytes = options.maxBytes;
    this.#waitMs = options.waitMs;
    this.#clock = options.clock;
  }

  get used(): number {
    return this.#used;
  }

  setUsed(bytes: number): void {
    this.#used = bytes;
    if (bytes >= this.#maxBytes) return;
    for (const wake of this.#waiters) wake();
  }

  get full(): boolean {
    return this.#used >= this.#maxBytes;
  }

  /** Resolves when there is room; rejects with `unavailable` when there is none for too long. */
  async wait(signal: AbortSignal): Promise<void> {
    const deadline = this.#clock.monotonicMs() + this.#waitMs;
    while (this.full) {
      const left = deadline - this.#clock.monotonicMs();
      if (left <= 0 || this.#waiters.size >= MAX_WAITERS) throw full(this.#maxBytes);
      await this.#change(left, signal);
    }
  }

  /** Resolves when there is room, however long that takes; rejects only with the signal. */
  async waitLong(signal: AbortSignal): Promise<void> {
    while (this.full) await this.#clock.sleep(50, signal);
  }

  #change(maxMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const end = () => {
        cancel();
        this.#waiters.delete(wake);
        signal.removeEventListener('abort', onAbort);
      };
      const wake = () => {
        end();
        resolve();
      };
      const onAbort = () => {
        end();
        reject(signal.reason as Error);
      };
      const cancel = this.#clock.after(maxMs, wake);
      this.#waiters.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function full(maxBytes: number): VivaceError {
  return new VivaceError(
    'unavailable',
    'heads-full',
    `the heads are full and blocks cannot be written fast enough: try again, or raise ingester.heads_max_bytes (${maxBytes})`,
    { retryAfterMs: 2000 },
  );
}
