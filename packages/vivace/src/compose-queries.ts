import type { BlockSections } from '@vivace/block';
import { createSegmentBuilder, Indexer } from '@vivace/indexer';
import type { CutBlock } from '@vivace/ingester';
import { concatBytes } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { Querier, type QuerierOptions } from '@vivace/querier';
import { createQueryMetrics, MeteredEngine, QueryFrontend } from '@vivace/query-frontend';
import type { Base } from './compose-base.ts';
import type { StoreParts } from './compose-storage.ts';

const QUERIES_A_WORKER = 4;

export interface QueryParts {
  querier: Querier;
  engine: MeteredEngine;
}

/** What answers queries from blocks and from `heads`. */
export function createQueries(base: Base, { store, manifest }: StoreParts, heads: QuerierOptions['heads']): QueryParts {
  const { config, clock, random, logger, metrics, onWorkerExit } = base;
  const querier = new Querier({
    heads,
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
  base.add(querier);
  const queryFrontend = new QueryFrontend({
    querier,
    clock,
    // Queries of one thread take turns: while one waits for bytes another computes.
    maxRunning: QUERIES_A_WORKER * config.querier.workers,
    maxWaiting: config.query_frontend.max_outstanding_per_tenant,
    timeoutMs: config.query_frontend.api_timeout,
  });
  const engine = new MeteredEngine(queryFrontend, { metrics: createQueryMetrics(metrics, queryFrontend), clock });
  return { querier, engine };
}

/** What keeps the trace index behind the commits. */
export function createIndexer(base: Base, { store, manifest }: StoreParts): Indexer {
  const { clock, random, logger, onWorkerExit } = base;
  const builder = createSegmentBuilder({ store, seed: random.u32(), onExit: onWorkerExit });
  base.add(builder);
  const indexer = new Indexer({ store, manifest, builder, clock, random, logger });
  base.add(indexer);
  return indexer;
}

/** The sections that lookups read, out of the objects that a block was written as. */
export function writtenSections({ sections }: BlockEntry, objects: CutBlock['objects']): BlockSections {
  const bytesOf = (name: keyof BlockSections): Uint8Array => {
    const { object, offset, length } = sections[name];
    const parts = objects.find((written) => written.name === object)?.parts ?? [];
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
    return bytes.subarray(offset, offset + length);
  };
  return { index: bytesOf('index'), filter: bytesOf('filter'), spans: bytesOf('spans'), events: bytesOf('events') };
}
