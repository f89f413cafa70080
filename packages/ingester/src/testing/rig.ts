import { type Clock, type Files, type Random, systemClock, systemRandom } from '@vivace/kernel';
import { type Manifest, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { createLogger } from '@vivace/telemetry';
import { type DiskLogLimits, openDiskLog, type WriteAheadLog } from '@vivace/wal';
import type { BlockCutter } from '../block-cutter.ts';
import { Ingester, type IngesterLimits } from '../ingester.ts';
import { createLocalBlockCutter, createLocalHeadBuilder, type LocalHeadBuilder, type Pause } from './local-parts.ts';

export interface RigOptions {
  files: Files;
  store: ObjectStore;
  clock?: Clock;
  random?: Random;
  pause?: Pause;
  limits?: Partial<IngesterLimits>;
  /** Of spans: what `limits.max_trace_bytes` is. */
  maxTraceBytes?: number;
  logLimits?: Partial<DiskLogLimits>;
  /** Puts something in the place of a part. */
  change?: (parts: RigParts) => Partial<RigParts>;
}

interface RigParts {
  log: WriteAheadLog;
  builder: LocalHeadBuilder;
  cutter: BlockCutter;
  manifest: (tenant: string) => Manifest;
}

/** An ingester with everything below it in one thread, as one process has it. */
export interface Rig extends RigParts {
  ingester: Ingester;
  /** What it has logged at `warn` and above. */
  lines: { level: string; msg: string }[];
  stop(): Promise<void>;
}

const UNLIMITED: IngesterLimits = {
  headsMaxBytes: 256 * 1024 * 1024,
  generationMaxBytes: 64 * 1024 * 1024,
  cutIntervalMs: 3_600_000,
  smallTenantCutIntervalMs: 3_600_000,
  logMaxBytes: 1024 * 1024 * 1024,
  logMaxSegments: 5000,
};

export async function startRig(options: RigOptions): Promise<Rig> {
  const { files, store, clock = systemClock, random = systemRandom, pause, change } = options;
  const maxTraceBytes = options.maxTraceBytes ?? 128 * 1024 * 1024;
  const log = await openDiskLog({ files, clock, random, directory: '/data/wal', limits: options.logLimits ?? {} });
  const manifests = new Map<string, Manifest>();
  const parts: RigParts = {
    log,
    builder: createLocalHeadBuilder(
      { limits: { maxAttributeBytes: 1024 * 1024, maxTraceBytes }, maxColumns: 16, seed: 1 },
      pause,
    ),
    cutter: createLocalBlockCutter(undefined, pause),
    manifest: (tenant) => {
      const manifest = manifests.get(tenant) ?? openManifest({ store, tenant, clock, random });
      manifests.set(tenant, manifest);
      return manifest;
    },
  };
  const changed: RigParts = { ...parts, ...change?.(parts) };
  const lines: Rig['lines'] = [];
  const ingester = new Ingester({
    ...changed,
    store,
    clock,
    random,
    logger: createLogger({
      level: 'warn',
      format: 'json',
      stream: { write: (line) => lines.push(JSON.parse(line) as Rig['lines'][number]) },
    }),
    limits: { ...UNLIMITED, ...options.limits },
  });
  await ingester.start();
  return {
    ...changed,
    ingester,
    lines,
    stop: async () => {
      await ingester.stop();
      await log.stop();
    },
  };
}
