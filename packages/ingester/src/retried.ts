import { type Clock, type Random, toVivaceError } from '@vivace/kernel';
import type { Logger } from '@vivace/telemetry';

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 10_000;

export interface Patience {
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Ends the waiting; nothing else does. */
  signal: AbortSignal;
}

/** Tries until it succeeds, loudly and with growing pauses. Rejects only once the signal is aborted. */
export async function retried<T>(what: string, attempt: () => Promise<T>, patience: Patience): Promise<T> {
  const { logger, signal } = patience;
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = toVivaceError(error);
      logger.warn({ code, failures }, `${what} failed: ${message}`);
    }
    await backOff(failures, patience);
  }
}

/** The pause after so many failures in a row. */
export async function backOff(failures: number, { clock, random, signal }: Patience): Promise<void> {
  const longestMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));
  await clock.sleep(longestMs * (0.5 + random.u32() / 2 ** 33), signal);
}
