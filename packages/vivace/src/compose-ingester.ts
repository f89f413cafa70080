import { type Config, singleObjectMaxBytes } from '@vivace/config';
import { createWorkerBlockCutter, createWorkerHeadBuilder, Ingester, type IngesterOptions } from '@vivace/ingester';
import type { Metrics } from '@vivace/telemetry';
import type { WriteAheadLog } from '@vivace/wal';
import type { Base } from './compose-base.ts';
import type { StoreParts } from './compose-storage.ts';
import { openLog } from './open-log.ts';

/** The log may hold this many segments before heads are cut early. */
const LOG_MAX_SEGMENTS = 5000;

export interface IngesterParts {
  ingester: Ingester;
  log: WriteAheadLog;
}

/** The ingester with its log and its threads, not started yet. */
export async function createIngester(
  base: Base,
  { store, manifest }: StoreParts,
  options: Pick<IngesterOptions, 'onCommitted'> & { acceptAfterMs: number },
): Promise<IngesterParts> {
  const { config, clock, random, logger, metrics, signal, onWorkerExit } = base;
  const log = await openLog(config, { store, clock, random, logger, signal, acceptAfterMs: options.acceptAfterMs });
  base.add(log);
  const builder = createWorkerHeadBuilder(headOptions(config, random.u32()), onWorkerExit);
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
  const ingester = new Ingester({
    log,
    builder,
    cutter,
    manifest,
    store,
    clock,
    random,
    logger,
    ...(options.onCommitted !== undefined && { onCommitted: options.onCommitted }),
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
  registerIngesterMetrics(metrics, ingester, log);
  return { ingester, log };
}

function headOptions(config: Config, seed: number) {
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
}
