import {
  Compactor,
  createCompactorMetrics,
  createWorkerMerger,
  OverridesFile,
  plainRetention,
} from '@vivace/compactor';
import { type Config, singleObjectMaxBytes } from '@vivace/config';
import { type Clock, type Random, type Service, systemFiles, utf8Decode, type VivaceError } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { Logger, Metrics } from '@vivace/telemetry';
import { collectingOften } from './heap-growth.ts';
import { oldestStream } from './oldest-stream.ts';

export interface CompactorParts {
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  /** The log of this process. */
  log: { streams(): readonly { stream: string }[] };
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: Metrics;
  onExit: (error: VivaceError) => void;
}

const DAY_MS = 24 * 3_600_000;
/** Blocks come so long after the last span in them at most, besides the cut interval. */
const CUT_DELAY_MS = 5 * 60_000;

/** What merges, expires and sweeps, in the order in which it is started; nothing where that is switched off. */
export function createCompactor(config: Config, parts: CompactorParts): Service[] {
  const { compactor, ingester, overrides, storage, query_frontend: frontend } = config;
  if (compactor.disabled) return [];
  const { store, clock, random, logger, log, metrics, onExit } = parts;
  const { compaction } = compactor;
  const services: Service[] = [];
  let retention = (_tenant: string) => plainRetention(compaction.block_retention);
  const file = overrides.per_tenant_override_config;
  if (file !== '') {
    const tenants = new OverridesFile({
      name: file,
      read: async () => utf8Decode(await systemFiles.readFile(file)),
      defaultKeepMs: compaction.block_retention,
      periodMs: overrides.per_tenant_override_period,
      clock,
      logger,
    });
    retention = (tenant) => tenants.retention(tenant);
    services.push(tenants);
    metrics.gauge({
      name: 'vivace_overrides_bad',
      help: '1 while the overrides file is wrong and the settings from before are in use.',
      collect: () => (tenants.isBad ? 1 : 0),
    });
  }
  services.push(
    new Compactor({
      store,
      manifest: parts.manifest,
      merger: collectingOften(createWorkerMerger({ store, seed: random.u32(), onExit })),
      retention,
      oldestStream: (signal) => oldestStream(store, log, signal),
      plan: {
        windowsMs: [...new Set([compaction.compaction_window, DAY_MS])],
        settleMs: Math.max(ingester.cut_interval, ingester.small_tenant_cut_interval) + CUT_DELAY_MS,
        maxInputs: compaction.max_input_blocks,
        maxRows: compaction.max_block_spans,
      },
      rowGroupRows: storage.trace.block.row_group_rows,
      pageRows: storage.trace.block.page_rows,
      singleObjectMaxBytes: singleObjectMaxBytes(config),
      cycleMs: compaction.compaction_cycle,
      sweepIntervalMs: compactor.sweep_interval,
      // Queries that began on an older list of blocks still read them.
      graceMs: Math.max(compaction.compacted_block_retention, 2 * frontend.api_timeout),
      clock,
      random,
      logger,
      metrics: createCompactorMetrics(metrics),
    }),
  );
  return services;
}
