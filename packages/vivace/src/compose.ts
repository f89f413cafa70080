import type { Config } from '@vivace/config';
import type { Logger } from '@vivace/telemetry';
import { startAll } from './compose-all.ts';
import { type Base, createBase } from './compose-base.ts';
import { startQuerier, startQueryFrontend } from './compose-reads.ts';
import { startCompactor, startDistributor, startIngester } from './compose-split.ts';
import type { Addresses, Running } from './running.ts';

/** What starts the services of each target. */
const TARGETS: Record<Config['target'], (base: Base) => Promise<Addresses>> = {
  all: startAll,
  distributor: startDistributor,
  ingester: startIngester,
  querier: startQuerier,
  'query-frontend': startQueryFrontend,
  compactor: startCompactor,
};

/** The services of the target, started from the storage up; on a failure what was started is stopped again. */
export async function compose(
  config: Config,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<Running> {
  const base = createBase(config, { logger, signal });
  try {
    const addresses = await TARGETS[config.target](base);
    signal.throwIfAborted();
    return { addresses, notices: [], stop: base.stop };
  } catch (error) {
    await base.stop().catch((cause: unknown) => logger.warn({ err: cause }, 'a failed start was not undone'));
    throw error;
  }
}
