import { createApi } from '@vivace/api';
import type { BlockSections } from '@vivace/block';
import {
  type Config,
  formatEndpoint,
  logBackend,
  parseEndpoint,
  renderConfig,
  singleObjectMaxBytes,
} from '@vivace/config';
import { createDistributor, createDistributorMetrics } from '@vivace/distributor';
import { createByteBudget } from '@vivace/http';
import { createSegmentBuilder, Indexer } from '@vivace/indexer';
import { type CutBlock, createWorkerBlockCutter, createWorkerHeadBuilder, Ingester } from '@vivace/ingester';
import {
  assert,
  concatBytes,
  createBufferPool,
  type Service,
  stopAll,
  systemClock,
  systemRandom,
  type VivaceError,
} from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { lockDirectory } from '@vivace/object-store';
import { Querier } from '@vivace/querier';
import { createQueryMetrics, MeteredEngine, QueryFrontend } from '@vivace/query-frontend';
import { createGrpcReceiver, createHttpReceiver, createReceiverMetrics } from '@vivace/receivers';
import { createMetrics, type Logger, type Metrics } from '@vivace/telemetry';
import { createCompactor } from './compose-compactor.ts';
import { createManifests } from './manifests.ts';
import { openLog } from './open-log.ts';
import type { Running } from './running.ts';
import { openStorage } from './storage.ts';
import { readTlsFiles, type TlsPaths } from './tls.ts';
import { VERSION } from './version.ts';

/** Bodies of requests under way, over all receivers; their buffers are used again. */
const REQUEST_MEMORY_BYTES = 64 * 1024 * 1024;
const IDLE_BUFFER_BYTES = 16 * 1024 * 1024;
const QUERIES_A_WORKER = 4;
/** The log may hold this many segments before heads are cut early. */
const LOG_MAX_SEGMENTS = 5000;

/** Every service in one process, started from the storage up; on a failure what was started is stopped again. */
export async function compose(
  config: Config,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
): Promise<Running> {
  const clock = systemClock;
  const random = systemRandom;
  const metrics = createMetrics({ processMetrics: true });
  const running: Service[] = [];
  const onStop = (stop: () => Promise<void>) => running.push({ start: async () => undefined, stop });
  try {
    await lockDirectories(config, onStop);
    const storage = await openStorage(config, { clock, random, metrics, signal });
    const { store } = storage;
    onStop(() => storage.close());
    const manifest = createManifests({
      store,
      clock,
      random,
      maxOpen: 2 * config.limits.max_tenants,
      onAlarm: (tenant, alarm) =>
        logger.fatal({ err: alarm, tenant }, 'the manifest went back in time: no more commits'),
    });
    const log = await openLog(config, { store, clock, random, logger, signal });
    onStop(() => log.stop());
    const onWorkerExit = (error: VivaceError) => {
      // Everything acknowledged is in the log: a new start is the one sound way on.
      logger.fatal({ err: error }, 'a thread ended: leaving, start again');
      process.exit(1);
    };
    const builder = createWorkerHeadBuilder(headOptions(config, random.u32()), onWorkerExit);
    onStop(() => builder.stop());
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
    onStop(() => cutter.stop());
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
        querier.keepBlock({ tenant, entry, sections: writtenSections(entry, objects) });
        indexer.notify(tenant);
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
    running.push(ingester);
    registerIngesterMetrics(metrics, ingester, log);
    const querier = new Querier({
      heads: ingester,
      manifest,
      store,
      cacheBytes: config.querier.cache_bytes,
      filterCacheBytes: config.querier.filter_cache_bytes,
      workers: config.querier.workers,
      keepsPartials: config.querier.keep_partials,
      warmUp: config.querier.warm_up,
      clock,
      random,
      logger,
      onExit: onWorkerExit,
    });
    running.push(querier);
    const segmentBuilder = createSegmentBuilder({ store, seed: random.u32(), onExit: onWorkerExit });
    onStop(() => segmentBuilder.stop());
    const indexer = new Indexer({ store, manifest, builder: segmentBuilder, clock, random, logger });
    running.push(indexer);
    const queryFrontend = new QueryFrontend({
      querier,
      clock,
      // Queries of one thread take turns: while one waits for bytes another computes.
      maxRunning: QUERIES_A_WORKER * config.querier.workers,
      maxWaiting: config.query_frontend.max_outstanding_per_tenant,
      timeoutMs: config.query_frontend.api_timeout,
    });
    const distributor = createDistributor({
      next: ingester,
      clock,
      metrics: createDistributorMetrics(metrics),
      limits: {
        ingestionRateBytes: config.limits.ingestion_rate_bytes,
        ingestionBurstBytes: config.limits.ingestion_burst_bytes,
      },
      maxTenants: config.limits.max_tenants,
    });
    const receivers = createReceivers(config, { sink: distributor, metrics, logger });
    const api = createApi({
      host: config.server.http_listen_address,
      port: config.server.http_listen_port,
      ...apiTls(config.server.tls),
      tenancy: { enabled: config.multitenancy_enabled, multiTenantQueries: true },
      finder: querier,
      engine: new MeteredEngine(queryFrontend, { metrics: createQueryMetrics(metrics, queryFrontend), clock }),
      build: { version: VERSION, revision: '' },
      notReady: () => [],
      flush: (flushSignal) => ingester.flush(flushSignal),
      configYaml: () => renderConfig(config),
      logger,
      metrics,
      clock,
      limits: { maxTraceBytes: config.limits.max_trace_response_bytes },
    });
    const compactor = createCompactor(config, {
      store,
      manifest,
      log,
      clock,
      random,
      logger,
      metrics,
      onExit: onWorkerExit,
    });
    await ingester.start();
    await indexer.start();
    for (const service of [...compactor, api, receivers.grpc, receivers.http]) {
      running.push(service);
      await service.start({ signal });
    }
    signal.throwIfAborted();
    return {
      addresses: {
        http: formatEndpoint(api.address),
        otlpGrpc: formatEndpoint(receivers.grpc.address()),
        otlpHttp: formatEndpoint(receivers.http.address()),
      },
      notices: [],
      stop: () => stopAll(running),
    };
  } catch (error) {
    await stopAll(running).catch((cause: unknown) => logger.warn({ err: cause }, 'a failed start was not undone'));
    throw error;
  }
}

/** One process a log and, where the store is a directory, one a store. */
async function lockDirectories(config: Config, onStop: (stop: () => Promise<void>) => void): Promise<void> {
  const { backend, local, wal } = config.storage.trace;
  const directories = [
    ...(logBackend(config) === 'disk' ? [wal.path] : []),
    ...(backend === 'local' ? [local.path] : []),
  ];
  for (const directory of new Set(directories)) {
    const lock = await lockDirectory(directory);
    onStop(() => lock.release());
  }
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

function createReceivers(
  config: Config,
  options: { sink: Parameters<typeof createHttpReceiver>[0]['sink']; metrics: Metrics; logger: Logger },
) {
  const { grpc, http } = config.distributor.receivers.otlp.protocols;
  const shared = {
    sink: options.sink,
    memory: {
      pool: createBufferPool({ maxIdleBytes: IDLE_BUFFER_BYTES }),
      budget: createByteBudget(Math.max(REQUEST_MEMORY_BYTES, 2 * config.limits.max_request_bytes)),
    },
    clock: systemClock,
    metrics: createReceiverMetrics(options.metrics),
    maxRequestBytes: config.limits.max_request_bytes,
    multitenancy: config.multitenancy_enabled,
    onDefect: (error: VivaceError) => options.logger.error({ err: error }, 'a request failed by a defect'),
  };
  return {
    grpc: createGrpcReceiver({ ...shared, ...listenOn(grpc.endpoint), ...receiverTls(grpc.tls) }),
    http: createHttpReceiver({
      ...shared,
      ...listenOn(http.endpoint),
      ...receiverTls(http.tls),
      corsOrigins: http.cors.allowed_origins,
    }),
  };
}

function listenOn(text: string): { host: string; port: number } {
  const endpoint = parseEndpoint(text);
  assert(endpoint !== undefined, 'the configuration checks endpoints');
  return endpoint;
}

function apiTls(paths: TlsPaths) {
  const files = readTlsFiles(paths);
  if (files === undefined) return {};
  const { certificate, key, clientCa } = files;
  return { tls: { certificate, key, ...(clientCa !== undefined && { clientCa }) } };
}

function receiverTls(paths: TlsPaths) {
  const files = readTlsFiles(paths);
  if (files === undefined) return {};
  const { certificate, key, clientCa } = files;
  return { tls: { cert: certificate, key, ...(clientCa !== undefined && { clientCa }) } };
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

/** The sections that lookups read, out of the objects that a block was written as. */
function writtenSections({ sections }: BlockEntry, objects: CutBlock['objects']): BlockSections {
  const bytesOf = (name: keyof BlockSections): Uint8Array => {
    const { object, offset, length } = sections[name];
    const parts = objects.find((written) => written.name === object)?.parts ?? [];
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
    return bytes.subarray(offset, offset + length);
  };
  return { index: bytesOf('index'), filter: bytesOf('filter'), spans: bytesOf('spans'), events: bytesOf('events') };
}
