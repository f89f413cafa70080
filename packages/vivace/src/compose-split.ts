import { formatEndpoint } from '@vivace/config';
import { createSpreadMetrics, createSpreadSink } from '@vivace/distributor';
import { createGrpcChannel } from '@vivace/http';
import { createWorkerChunkEncoder, HeadChunks, serveHeads } from '@vivace/ingester';
import { type Clock, orAborted, VivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import { createPushClient, headsMethods, pushMethods } from '@vivace/rpc';
import { createHttpApi } from './compose-api.ts';
import type { Base } from './compose-base.ts';
import { createCallServer, startCalling } from './compose-calls.ts';
import { createCompactor } from './compose-compactor.ts';
import { createIngester } from './compose-ingester.ts';
import { createIndexer } from './compose-queries.ts';
import { createReceivers } from './compose-receivers.ts';
import { openStore } from './compose-storage.ts';
import { collectSeldom } from './heap-growth.ts';
import type { Addresses } from './running.ts';

/** Every list of streams that a query uses is younger than this when the first record comes (docs/storage-protocol.md). */
const ACCEPT_AFTER_MS = 10_000;
/** Of the 30 s that a process has to stop: for cutting, and `shutdown_delay` before it. Calls end before, the log after. */
const FLUSH_TIMEOUT_MS = 17_000;

/** `--target distributor`: takes requests in and spreads them over ingesters. Needs no store. */
export async function startDistributor(base: Base): Promise<Addresses> {
  collectSeldom();
  const { config, clock, metrics } = base;
  const client = config.ingester_client;
  const { discovery, channels, health } = await startCalling(base, createGrpcChannel, client, 'ingesters');
  metrics.gauge({
    name: 'vivace_distributor_ingesters',
    help: 'Ingesters that are known.',
    collect: () => discovery.members.length,
  });
  metrics.gauge({
    name: 'vivace_distributor_ingesters_failing',
    help: 'Ingesters that are left alone for a moment because calls to them failed.',
    collect: () => health.failing,
  });
  const sink = createSpreadSink({
    members: () => discovery.members,
    health,
    channels,
    client: createPushClient,
    clock,
    metrics: createSpreadMetrics(metrics),
    timeoutMs: client.remote_timeout,
  });
  const api = createHttpApi(base, {});
  await base.start(api);
  const receivers = createReceivers(base, sink);
  for (const service of [receivers.grpc, receivers.http]) await base.start(service);
  base.ready();
  return {
    http: formatEndpoint(api.address),
    otlpGrpc: formatEndpoint(receivers.grpc.address()),
    otlpHttp: formatEndpoint(receivers.http.address()),
  };
}

/** `--target ingester`: takes slices of requests from distributors, and cuts them into blocks. */
export async function startIngester(base: Base): Promise<Addresses> {
  collectSeldom();
  const { config, clock, random, budgets, signal } = base;
  const parts = await openStore(base);
  let flush = (_signal: AbortSignal): Promise<void> => Promise.resolve();
  const api = createHttpApi(base, { flush: (flushSignal) => flush(flushSignal) });
  await base.start(api);
  const { ingester } = await createIngester(base, parts, { acceptAfterMs: ACCEPT_AFTER_MS });
  const acceptFromMs = clock.monotonicMs() + ACCEPT_AFTER_MS;
  await ingester.start();
  flush = (flushSignal) => ingester.flush(flushSignal);
  base.add({ stop: () => cutWhatThereIs(base, flush) });
  const encoder = createWorkerChunkEncoder(random.u32(), base.onWorkerExit);
  base.add(encoder);
  const maxBytes = config.ingester.chunks_cache_bytes;
  const chunks = new HeadChunks({ encoder, clock, random, maxBytes });
  budgets.add({ name: 'chunks', usedBytes: () => chunks.bytes, maxBytes });
  const rpc = createCallServer(base, {
    methods: pushMethods(acceptFrom(acceptFromMs, ingester, clock)),
    calls: headsMethods(serveHeads(ingester, chunks)),
  });
  signal.throwIfAborted();
  await base.start(rpc);
  // Queriers are answered already: what the process before it has left is missing for as short as can be.
  await clock.sleep(Math.max(0, acceptFromMs - clock.monotonicMs()), signal);
  base.ready();
  return { http: formatEndpoint(api.address), grpc: formatEndpoint(rpc.address) };
}

/** Refuses what comes before the log takes it, which would be in the heads and not acknowledged. */
function acceptFrom(fromMs: number, sink: TraceSink, clock: Pick<Clock, 'monotonicMs'>): TraceSink {
  return {
    push: async (tenant, request, signal) => {
      const waitMs = fromMs - clock.monotonicMs();
      if (waitMs <= 0) return sink.push(tenant, request, signal);
      throw new VivaceError('unavailable', 'ingester-starting', 'the ingester takes no spans yet: try again', {
        retryAfterMs: Math.ceil(waitMs),
      });
    },
  };
}

/** What is not in blocks by then is in the log, which others read when this process is gone. */
async function cutWhatThereIs(
  { clock, config, logger }: Base,
  flush: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const late = new AbortController();
  const cancel = clock.after(FLUSH_TIMEOUT_MS - config.shutdown_delay, () => late.abort());
  try {
    await orAborted(flush(late.signal), late.signal);
  } catch (error) {
    logger.warn(
      { err: error },
      'not everything was cut into blocks before the stop: the log has it, and another process reads it',
    );
  } finally {
    cancel();
  }
}

/** `--target compactor`: merges, expires, sweeps and indexes what the others write. */
export async function startCompactor(base: Base): Promise<Addresses> {
  const parts = await openStore(base);
  const api = createHttpApi(base, {});
  await base.start(api);
  // The ingesters commit in processes of their own.
  const indexer = createIndexer(base, parts, { polls: true });
  await indexer.start();
  const log = { streams: () => [] };
  const services = createCompactor(base.config, { ...parts, ...base, log, onExit: base.onWorkerExit });
  for (const service of services) await base.start(service);
  base.ready();
  return { http: formatEndpoint(api.address) };
}
