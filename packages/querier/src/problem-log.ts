import type { Clock } from '@vivace/kernel';
import type { Logger } from '@vivace/telemetry';

const AGAIN_AFTER_MS = 60_000;
const MAX_REMEMBERED = 1000;

/**
 * Logs what could not be read, each thing once a minute: with a store that is down or a block that is damaged
 * every query meets it.
 */
export class ProblemLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #toldMs = new Map<string, number>();

  constructor({ logger, clock }: { logger: Logger; clock: Clock }) {
    this.#logger = logger;
    this.#clock = clock;
  }

  tell(tenant: string, problem: string): void {
    const key = `${tenant} ${problem}`;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#toldMs.get(key) ?? Number.NEGATIVE_INFINITY) < AGAIN_AFTER_MS) return;
    if (this.#toldMs.size >= MAX_REMEMBERED) this.#toldMs.clear();
    this.#toldMs.set(key, nowMs);
    this.#logger.warn({ tenant }, problem);
  }
}
