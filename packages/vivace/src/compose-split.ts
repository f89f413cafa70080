import { Discovery, Health, parseSource, systemResolver } from '@vivace/cluster';
import { formatEndpoint } from '@vivace/config';
import { createSpreadMetrics, createSpreadSink } from '@vivace/distributor';
import { assert, orAborted, toVivaceError } from '@vivace/kernel';
import { ChannelPool, createPushClient, createRpcServer, pushMethods } from '@vivace/rpc';
import { createHttpApi } from './compose-api.ts';
import type { Base } from './compose-base.ts';
import { createCompactor } from './compose-compactor.ts';
import { createIngester } from './compose-ingester.ts';
import { createIndexer } from './compose-queries.ts';
import { createReceivers, requestMemory } from './compose-receivers.ts';
import { openStore } from './compose-storage.ts';
import type { Addresses } from './running.ts';
import { clientTls, listenerTls } from './tls.ts';

/** Every list of streams that a query uses is younger than this when the first record comes (docs/storage-protocol.md). */
const ACCEPT_AFTER_MS = 10_000;
/** What a slice has in a call besides the request that it is of. */
const CALL_OVERHEAD_BYTES = 64 * 1024;
/** Of the 30 s that a process has to stop: cutting, after calls have ended and before the log is flushed and left. */
const FLUSH_TIMEOUT_MS = 17_000;

/** `--target distributor`: takes requests in and spreads them over ingesters. Needs no store. */
export async function startDistributor(base: Base): Promise<Addresses> {
  const { config, clock, random, logger, metrics } = base;
  const client = config.ingester_client;
  const discovery = new Discovery({
    sources: client.addresses.map((address) => {
      const source = parseSource(address);
      assert(source !== undefined, 'the configuration checks addresses');
      return source;
    }),
    resolver: systemResolver,
    clock,
    refreshMs: client.resolve_interval,
    onProblem: (name, error) =>
      logger.warn({ name, code: toVivaceError(error).code, err: error }, 'ingesters cannot be looked up: tried again'),
  });
  await base.start(discovery);
  const channels = new ChannelPool({ clock, tls: clientTls(client.grpc_client_config) });
  base.add({ stop: async () => channels.close() });
  const health = new Health({ clock, random });
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
  const api = createHttpApi(base, { flush: async () => undefined });
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
  const { config, clock, logger, signal } = base;
  const parts = await openStore(base);
  let flush = (_signal: AbortSignal): Promise<void> => Promise.resolve();
  const api = createHttpApi(base, { flush: (flushSignal) => flush(flushSignal) });
  await base.start(api);
  const { ingester } = await createIngester(base, parts, { acceptAfterMs: ACCEPT_AFTER_MS });
  await ingester.start();
  flush = (flushSignal) => ingester.flush(flushSignal);
  base.add({ stop: () => cutWhatThereIs(base, flush) });
  const tls = listenerTls(config.server.grpc_tls);
  const rpc = createRpcServer({
    host: config.server.grpc_listen_address,
    port: config.server.grpc_listen_port,
    ...(tls !== undefined && { tls }),
    methods: pushMethods(ingester),
    memory: requestMemory(base),
    maxRequestBytes: config.limits.max_request_bytes + CALL_OVERHEAD_BYTES,
    clock,
    onError: (error, call) => logger.error({ err: error, call }, 'a call failed'),
  });
  signal.throwIfAborted();
  await base.start(rpc);
  base.ready();
  return { http: formatEndpoint(api.address), grpc: formatEndpoint(rpc.address) };
}

/** What is not in blocks by then is in the log, which others read when this process is gone. */
async function cutWhatThereIs({ clock, logger }: Base, flush: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const late = new AbortController();
  const cancel = clock.after(FLUSH_TIMEOUT_MS, () => late.abort());
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
  const api = createHttpApi(base, { flush: async () => undefined });
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
