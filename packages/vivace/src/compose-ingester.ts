import { type Config, singleObjectMaxBytes } from '@vivace/config';
import {
  type CutBlock,
  createWorkerBlockCutter,
  createWorkerHeadBuilder,
  Ingester,
  type IngesterOptions,
  type PracticeHead,
} from '@vivace/ingester';
import type { Clock } from '@vivace/kernel';
import type { Metrics } from '@vivace/telemetry';
import type { WriteAheadLog } from '@vivace/wal';
import type { Base } from './compose-base.ts';
import type { StoreParts } from './compose-storage.ts';
import { openLog } from './open-log.ts';
import { practiseIngest } from './practise-ingest.ts';

/** The log may hold this many segments before heads are cut early. */
const LOG_MAX_SEGMENTS = 5000;
/** Two generations of the default size. */
const POOL_MAX_BYTES = 128 * 1024 * 1024;
/** The start of the process comes first. */
const PRACTICE_DELAY_MS = 250;
/** Where heads have less room, practice would keep others waiting for it. */
const PRACTICE_MIN_BYTES = 64 * 1024 * 1024;

export interface IngesterParts {
  ingester: Ingester;
  log: WriteAheadLog;
  /** The block that the threads cut for practice, once they have; undefined where they do not practise. Never rejects. */
  madeUp: Promise<CutBlock | undefined>;
}

/** The ingester with its log and its threads, not started yet. */
export async function createIngester(
  base: Base,
  { store, manifest }: StoreParts,
  options: Pick<IngesterOptions, 'onCommitted'> & { acceptAfterMs: number },
): Promise<IngesterParts> {
  const { config, clock, random, logger, metrics, budgets, signal, onWorkerExit } = base;
  const log = await openLog(config, { store, clock, random, logger, signal, acceptAfterMs: options.acceptAfterMs });
  base.add(log);
  const { heads_max_bytes, wal } = config.ingester;
  const poolBytes = Math.min(POOL_MAX_BYTES, heads_max_bytes / 2);
  const builder = createWorkerHeadBuilder({ ...headOptions(config, random.u32()), poolBytes }, onWorkerExit);
  base.add(builder);
  const { row_group_rows, page_rows } = config.storage.trace.block;
  const cutter = createWorkerBlockCutter(
    {
      singleObjectMaxBytes: singleObjectMaxBytes(config),
      rowGroupRows: row_group_rows,
      pageRows: page_rows,
      seed: random.u32(),
    },
    onWorkerExit,
  );
  base.add(cutter);
  const blocks = metrics.counter({
    name: 'vivace_ingester_blocks_total',
    help: 'Blocks of heads that were cut and are in the manifest.',
  });
  const ingester = new Ingester({
    log,
    builder,
    cutter,
    manifest,
    store,
    clock,
    random,
    logger,
    onCommitted: (tenant, entry, objects) => {
      blocks.inc();
      options.onCommitted?.(tenant, entry, objects);
    },
    limits: {
      headsMaxBytes: config.ingester.heads_max_bytes,
      generationMaxBytes: config.ingester.generation_max_bytes,
      cutIntervalMs: config.ingester.cut_interval,
      smallTenantCutIntervalMs: config.ingester.small_tenant_cut_interval,
      // Cutting begins at half of what the log may take.
      logMaxBytes: config.ingester.wal.max_bytes / 2,
      logMaxSegments: LOG_MAX_SEGMENTS,
    },
  });
  base.add(ingester);
  const practises = config.ingester.warm_up && heads_max_bytes >= PRACTICE_MIN_BYTES;
  const madeUp = practises ? practise(base, ingester.practiceHead()) : Promise.resolve(undefined);
  budgets.add({ name: 'heads', usedBytes: () => ingester.headBytes, maxBytes: heads_max_bytes });
  budgets.add({ name: 'log', usedBytes: () => log.bytes, maxBytes: wal.max_bytes });
  budgets.add({ name: 'log_undurable', usedBytes: () => log.undurableBytes, maxBytes: wal.max_undurable_bytes });
  registerIngesterMetrics(metrics, clock, ingester, log);
  return { ingester, log, madeUp };
}

async function practise(base: Base, head: PracticeHead): Promise<CutBlock | undefined> {
  try {
    await base.clock.sleep(PRACTICE_DELAY_MS, base.signal);
    return await practiseIngest({ ...base, maxRequestBytes: base.config.limits.max_request_bytes }, head);
  } catch (error) {
    base.logger.debug({ err: error }, 'the threads of the ingester did not practise');
    return undefined;
  }
}

/** What heads are made with, of requests and of the log. */
export function headOptions(config: Config, seed: number): Parameters<typeof createWorkerHeadBuilder>[0] {
  return {
    seed,
    maxColumns: config.limits.max_attribute_columns,
    limits: {
      maxAttributeBytes: config.limits.max_attribute_bytes,
      maxTraceBytes: config.limits.max_trace_bytes,
    },
  };
}

function registerIngesterMetrics(
  metrics: Metrics,
  clock: Pick<Clock, 'nowMs'>,
  ingester: Ingester,
  log: { bytes: number; undurableBytes: number },
): void {
  metrics.gauge({
    name: 'vivace_ingester_head_bytes',
    help: 'Memory of spans that are not in blocks yet.',
    collect: () => ingester.headBytes,
  });
  metrics.gauge({
    name: 'vivace_log_bytes',
    help: 'Bytes of the write-ahead log.',
    collect: () => log.bytes,
  });
  metrics.gauge({
    name: 'vivace_log_undurable_bytes',
    help: 'Bytes of spans whose answers wait until they are in the write-ahead log.',
    collect: () => log.undurableBytes,
  });
  metrics.gauge({
    name: 'vivace_ingester_oldest_uncut_seconds',
    help: 'Age of the oldest acknowledged span that is in no block; 0 where all are.',
    collect: () => {
      const { oldestUncutMs } = ingester;
      return oldestUncutMs === undefined ? 0 : Math.max(0, clock.nowMs() - oldestUncutMs) / 1000;
    },
  });
}
