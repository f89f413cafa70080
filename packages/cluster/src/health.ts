import { type Clock, fraction, type Random } from '@vivace/kernel';

export interface HealthOptions {
  clock: Clock;
  random: Random;
  /** After the first failure; doubled with each that follows. */
  firstBackOffMs?: number;
  maxBackOffMs?: number;
}

const MAX_FAILURES = 16;

/**
 * Which addresses are worth a call, judged by calls alone: one that fails is left alone for a while, longer each
 * time, and the first success ends that. Nobody asks nobody for it.
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #failing = new Map<string, { failures: number; untilMs: number }>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  isUsable(address: string): boolean {
    const state = this.#failing.get(address);
    return state === undefined || state.untilMs <= this.#options.clock.monotonicMs();
  }

  succeeded(address: string): void {
    if (this.#failing.size > 0) this.#failing.delete(address);
  }

  /** `atLeastMs`: what the address itself said. Calls that fail together count once. */
  failed(address: string, atLeastMs = 0): void {
    const { clock, random, firstBackOffMs = 500, maxBackOffMs = 30_000 } = this.#options;
    const nowMs = clock.monotonicMs();
    const state = this.#failing.get(address);
    if (state !== undefined && state.untilMs > nowMs) return;
    const failures = Math.min((state?.failures ?? 0) + 1, MAX_FAILURES);
    const backOffMs = Math.min(maxBackOffMs, firstBackOffMs * 2 ** (failures - 1)) * (0.5 + fraction(random) / 2);
    this.#failing.set(address, { failures, untilMs: nowMs + Math.max(backOffMs, Math.min(atLeastMs, maxBackOffMs)) });
  }

  /** Forgets addresses that are nobody's any more. */
  keepOnly(addresses: readonly string[]): void {
    for (const address of this.#failing.keys()) if (!addresses.includes(address)) this.#failing.delete(address);
  }

  /** Those that are left alone now. */
  get failing(): number {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#failing.values()].filter(({ untilMs }) => untilMs > nowMs).length;
  }
}
