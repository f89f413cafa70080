import type { Clock } from '@vivace/kernel';
import { type Logger, Seldom } from '@vivace/telemetry';

/**
 * Logs what could not be read, each thing once a minute: with a store that is down or a block that is damaged
 * every query meets it.
 */
export class ProblemLog {
  readonly #logger: Logger;
  readonly #seldom: Seldom;

  constructor({ logger, clock }: { logger: Logger; clock: Clock }) {
    this.#logger = logger;
    this.#seldom = new Seldom(clock);
  }

  tell(tenant: string, problem: string): void {
    if (this.#seldom.isDue(`${tenant} ${problem}`)) this.#logger.warn({ tenant }, problem);
  }
}
