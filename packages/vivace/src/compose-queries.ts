import { practiseWriting, type QueryEngine, type TraceFinder } from '@vivace/api';
import type { BlockSections } from '@vivace/block';
import { createSegmentBuilder, Indexer } from '@vivace/indexer';
import type { CutBlock } from '@vivace/ingester';
import { concatBytes, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type NewBlock, Querier, type QuerierOptions } from '@vivace/querier';
import {
  createQueryMetrics,
  MeteredEngine,
  MeteredFinder,
  QueryFrontend,
  type QueryFrontendOptions,
} from '@vivace/query-frontend';
import { tracedEngine, tracedFinder } from '@vivace/self-tracing';
import type { Base } from './compose-base.ts';
import type { IngesterParts } from './compose-ingester.ts';
import type { StoreParts } from './compose-storage.ts';

const QUERIES_A_WORKER = 4;

export interface QueryParts {
  querier: Querier;
  /** Lookups by id. */
  finder: TraceFinder;
  engine: QueryEngine;
}

/** What answers queries from blocks and from `heads`, in one process. */
export function createQueries(
  base: Base,
  parts: StoreParts,
  heads: QuerierOptions['heads'],
  madeUp: IngesterParts['madeUp'],
): QueryParts {
  const querier = createQuerier(base, parts, heads, madeUp);
  // Queries of one thread take turns: while one waits for bytes another computes.
  return { querier, ...createFrontend(base, querier, QUERIES_A_WORKER * base.config.querier.workers) };
}

/** What reads blocks and `heads`. `madeUp`: a block to practise on where there is none. */
export function createQuerier(
  base: Base,
  { reads, manifest }: StoreParts,
  heads: QuerierOptions['heads'],
  madeUp: IngesterParts['madeUp'] = Promise.resolve(undefined),
): Querier {
  const { config, clock, random, logger, metrics, budgets, onWorkerExit } = base;
  const querier = new Querier({
    heads,
    manifest,
    ...reads,
    cacheBytes: config.querier.cache_bytes,
    filterCacheBytes: config.querier.filter_cache_bytes,
    workers: config.querier.workers,
    keepsPartials: config.querier.keep_partials,
    clock,
    random,
    logger,
    onExit: onWorkerExit,
  });
  base.add(querier);
  if (config.querier.warm_up) void practise(base, querier, madeUp);
  const { cache_bytes, filter_cache_bytes } = config.querier;
  budgets.add({ name: 'cache', usedBytes: () => querier.cacheUsage.blockBytes, maxBytes: cache_bytes });
  budgets.add({ name: 'filter_cache', usedBytes: () => querier.cacheUsage.filterBytes, maxBytes: filter_cache_bytes });
  metrics.counter<'outcome'>({
    name: 'vivace_querier_cache_requests_total',
    help: 'What query threads asked their caches of blocks and filters for, and whether it was there.',
    labels: ['outcome'],
    collect: (set) => {
      const { hits, misses } = querier.cacheUsage;
      set({ outcome: 'hit' }, hits);
      set({ outcome: 'miss' }, misses);
    },
  });
  return querier;
}

/** The start of the process comes first. */
const PRACTICE_DELAY_MS = 250;
/** No tenant has this name: theirs have no slash. */
const NOBODY = '/practice';

async function practise(base: Base, querier: Querier, madeUp: IngesterParts['madeUp']): Promise<void> {
  const { clock, logger, signal } = base;
  try {
    await clock.sleep(PRACTICE_DELAY_MS, signal);
    const block = madeUp.then((cut) => cut && blockOfNobody(cut, base));
    await querier.practise({ madeUp: block, use: practiseWriting, signal });
  } catch (error) {
    logger.debug({ err: error }, 'query threads did not practise');
  }
}

/** A block that no tenant has. */
function blockOfNobody({ content, objects }: CutBlock, { clock, random }: Base): NewBlock {
  const commitTimeMs = clock.nowMs();
  const id = uuidV7(commitTimeMs, random);
  const entry = { ...content, id, commitTimeMs, level: 0, retentionClass: '', applied: 0 };
  return { tenant: NOBODY, entry, sections: writtenSections(entry, objects) };
}

/** What takes queries in and has `querier` answer them, so many at a time. */
export function createFrontend(
  base: Base,
  querier: TraceFinder & QueryFrontendOptions['querier'],
  maxRunning: number,
): Omit<QueryParts, 'querier'> {
  const { config, clock, metrics, tracer } = base;
  const queryFrontend = new QueryFrontend({
    querier,
    clock,
    maxRunning,
    maxWaiting: config.query_frontend.max_outstanding_per_tenant,
    timeoutMs: config.query_frontend.api_timeout,
  });
  const metered = { metrics: createQueryMetrics(metrics, queryFrontend), clock };
  const engine = new MeteredEngine(queryFrontend, metered);
  const finder = new MeteredFinder(querier, metered);
  if (tracer === undefined) return { finder, engine };
  return { finder: tracedFinder(finder, tracer), engine: tracedEngine(engine, tracer) };
}

/** What keeps the trace index behind the commits. */
export function createIndexer(base: Base, { store, manifest }: StoreParts, options = { polls: false }): Indexer {
  const { clock, random, logger, onWorkerExit } = base;
  const builder = createSegmentBuilder({ store, seed: random.u32(), onExit: onWorkerExit });
  base.add(builder);
  const indexer = new Indexer({ ...options, store, manifest, builder, clock, random, logger });
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
