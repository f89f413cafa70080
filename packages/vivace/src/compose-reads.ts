import { formatEndpoint, logBackend } from '@vivace/config';
import { createWorkerHeadBuilder, type HeadBuilder } from '@vivace/ingester';
import { LogHeads, RemoteHeads, StreamList } from '@vivace/querier';
import { Dispatcher, Lookout, RemoteQuerier } from '@vivace/query-frontend';
import { createCallChannel, createHeadsClient, createQueryClient, queryMethods } from '@vivace/rpc';
import { createHttpApi } from './compose-api.ts';
import type { Base } from './compose-base.ts';
import { createCallServer, practiseCallsSoon, startCalling } from './compose-calls.ts';
import { headOptions } from './compose-ingester.ts';
import { createFrontend, createQuerier } from './compose-queries.ts';
import { openStore, type StoreParts } from './compose-storage.ts';
import type { Addresses } from './running.ts';

/** Queries that a frontend has given to queriers; more wait for their turn. */
const MAX_RUNNING = 64;

/** Answers are not whole while an ingester is left alone: one that is back is asked again soon. */
const MAX_BACK_OFF_MS = 1000;

/** `--target querier`: answers queries of frontends from blocks and from the ingesters' heads. */
export async function startQuerier(base: Base): Promise<Addresses> {
  const { config, clock, metrics, budgets, signal } = base;
  const parts = await openStore(base);
  const api = createHttpApi(base, {});
  await base.start(api);
  const { channels, health, members } = await startCalling(
    base,
    createCallChannel,
    config.ingester_client,
    'ingesters',
    { maxBackOffMs: MAX_BACK_OFF_MS },
  );
  const asked = practiseCallsSoon(base);
  const chunkCacheBytes = config.querier.heads_cache_bytes;
  const heads = new RemoteHeads({
    members,
    client: (member) => {
      asked();
      return createHeadsClient(channels.get(member));
    },
    health,
    streams: new StreamList({ store: parts.store, clock }),
    logs: logBackend(config) === 'bucket' ? createLogHeads(base, parts) : undefined,
    clock,
    chunkCacheBytes,
    timeoutMs: config.ingester_client.remote_timeout,
  });
  budgets.add({ name: 'heads_cache', usedBytes: () => heads.chunkBytes, maxBytes: chunkCacheBytes });
  metrics.gauge({
    name: 'vivace_querier_ingesters',
    help: 'Ingesters that are known.',
    collect: () => members().length,
  });
  metrics.gauge({
    name: 'vivace_querier_ingesters_failing',
    help: 'Ingesters that are left alone for a moment because calls to them failed.',
    collect: () => health.failing,
  });
  const rpc = createCallServer(base, { calls: queryMethods(createQuerier(base, parts, heads)) });
  signal.throwIfAborted();
  await base.start(rpc);
  base.ready();
  return { http: formatEndpoint(api.address), grpc: formatEndpoint(rpc.address) };
}

/** What reads the log of ingesters that do not answer. Its thread is started when there is one. */
function createLogHeads(base: Base, { store, manifest }: StoreParts): LogHeads {
  const { config, clock, random, metrics, budgets, onWorkerExit } = base;
  let builder: HeadBuilder | undefined;
  base.add({ stop: async () => builder?.stop() });
  const maxBytes = config.querier.log_heads_bytes;
  const logs = new LogHeads({
    store,
    clock,
    manifest,
    startRows: () => (builder = createWorkerHeadBuilder(headOptions(config, random.u32()), onWorkerExit)),
    maxBytes,
    setMaxBytes: config.ingester.generation_max_bytes,
  });
  budgets.add({ name: 'log_heads', usedBytes: () => logs.bytes, maxBytes });
  metrics.counter({
    name: 'vivace_querier_log_reads_total',
    help: 'Streams of the log that were read from the bucket for a query because no ingester answered for them.',
    collect: (set) => set({}, logs.counts.streams),
  });
  metrics.counter({
    name: 'vivace_querier_log_read_failures_total',
    help: 'Streams of the log that no ingester answered for and that could not be read: answers were not whole.',
    collect: (set) => set({}, logs.counts.failures),
  });
  metrics.counter({
    name: 'vivace_querier_log_read_bytes_total',
    help: 'Bytes that were read of the log for queries because no ingester answered for them.',
    collect: (set) => set({}, logs.counts.bytes),
  });
  return logs;
}

/** `--target query-frontend`: the API for Grafana; queriers answer. Needs no store. */
export async function startQueryFrontend(base: Base): Promise<Addresses> {
  const { config, clock, random, metrics } = base;
  const { discovery, channels, health, members } = await startCalling(
    base,
    createCallChannel,
    config.querier_client,
    'queriers',
  );
  const timeoutMs = config.query_frontend.api_timeout;
  const lookout = new Lookout({
    members,
    reach: (member) => channels.get(member).reach(),
    lookUp: () => discovery.lookSoon(),
    clock,
    timeoutMs,
  });
  const dispatcher = new Dispatcher({ members, health, random, lookout });
  metrics.gauge({
    name: 'vivace_query_frontend_queriers',
    help: 'Queriers that are known.',
    collect: () => members().length,
  });
  metrics.gauge({
    name: 'vivace_query_frontend_stranded',
    help: 'Queries that wait because no querier can be reached.',
    collect: () => lookout.waiting,
  });
  metrics.counter({
    name: 'vivace_query_frontend_retries_total',
    help: 'Queries that were asked again of another querier because one was lost.',
    collect: (set) => set({}, dispatcher.retries),
  });
  const asked = practiseCallsSoon(base);
  const querier = new RemoteQuerier({
    dispatcher,
    client: (member) => {
      asked();
      return createQueryClient(channels.get(member));
    },
    timeoutMs,
  });
  const { finder, engine } = createFrontend(base, querier, MAX_RUNNING);
  // What there is to cut is in the ingesters.
  const api = createHttpApi(base, { finder, engine });
  await base.start(api);
  base.ready();
  return { http: formatEndpoint(api.address) };
}
