import type { Config } from '@vivace/config';
import {
  type Clock,
  type Random,
  type Service,
  stopAll,
  systemClock,
  systemRandom,
  type VivaceError,
} from '@vivace/kernel';
import type { Tracer } from '@vivace/self-tracing';
import { createMetrics, type Logger, type Metrics } from '@vivace/telemetry';
import { type Budgets, createBudgets } from './budgets.ts';
import { createTracer } from './own-tracing.ts';
import { VERSION } from './version.ts';

/** What every service of a process is made with. */
export interface Base {
  config: Config;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: Metrics;
  budgets: Budgets;
  /** Where a sample of our own work is traced, if it is. */
  tracer: Tracer | undefined;
  /** Ends a start that is not finished. */
  signal: AbortSignal;
  /** Has a service stopped before all that were added earlier; it is started by who adds it. */
  add: (service: Pick<Service, 'stop'>) => void;
  /** Starts it and adds it. */
  start: (service: Service) => Promise<void>;
  onWorkerExit: (error: VivaceError) => void;
  /** What keeps the process from serving, a line each. */
  notReady: () => string[];
  /** From now on it is ready. */
  ready: () => void;
  /** Tells who asks that it is not ready any more, waits a while for them to notice, and stops everything. Idempotent. */
  stop: () => Promise<void>;
}

export function createBase(config: Config, { logger, signal }: { logger: Logger; signal: AbortSignal }): Base {
  const clock = systemClock;
  const services: Service[] = [];
  let state: 'starting' | 'ready' | 'stopping' = 'starting';
  let stopped: Promise<void> | undefined;
  const metrics = createMetrics({ processMetrics: true });
  metrics
    .gauge<'version' | 'target'>({
      name: 'vivace_build_info',
      help: 'Always 1: which version runs which services.',
      labels: ['version', 'target'],
    })
    .set({ version: VERSION, target: config.target }, 1);
  const tracer = createTracer(config, { clock, random: systemRandom, logger, metrics });
  const add = (service: Pick<Service, 'stop'>) =>
    services.push({ start: async () => undefined, stop: () => service.stop() });
  const stop = async () => {
    const wasReady = state === 'ready';
    state = 'stopping';
    if (wasReady && config.shutdown_delay > 0) await clock.sleep(config.shutdown_delay);
    await stopAll(services);
  };
  if (tracer !== undefined) {
    // Stopped last: what the others do to the end is in it.
    add(tracer);
    void tracer.start();
  }
  return {
    config,
    clock,
    random: systemRandom,
    logger,
    metrics,
    budgets: createBudgets(metrics),
    tracer,
    signal,
    add: (service) => void add({ stop: () => service.stop() }),
    start: async (service) => {
      add({ stop: () => service.stop() });
      await service.start({ signal });
    },
    onWorkerExit: (error) => {
      // Everything acknowledged is in the log: a new start is the one sound way on.
      logger.fatal({ err: error }, 'a thread ended: leaving, start again');
      process.exit(1);
    },
    notReady: () => (state === 'ready' ? [] : [`the process is ${state}`]),
    ready: () => {
      state = 'ready';
    },
    stop: () => (stopped ??= stop()),
  };
}
