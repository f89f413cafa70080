import { isImmutableKey } from '@vivace/manifest';
import {
  createCachedStore,
  type DirectoryLock,
  DiskCache,
  lockDirectory,
  type ObjectStore,
} from '@vivace/object-store';
import type { Base } from './compose-base.ts';

/** What queries read from. */
export interface Reads {
  store: ObjectStore;
  /** Lets go of what is kept of an object. */
  onDamaged?: (key: string) => void;
}

/**
 * The store as queries read it, over a cache on a disk where the settings name a directory and this process reads blocks.
 * One that cannot be used is told and done without: a cache is no reason not to start.
 */
export async function openDiskCache(base: Base, store: ObjectStore): Promise<Reads> {
  const { config, clock, logger } = base;
  const { path: directory, max_bytes: maxBytes } = config.querier.disk_cache;
  if (directory === '' || (config.target !== 'all' && config.target !== 'querier')) return { store };
  let lock: DirectoryLock | undefined;
  try {
    lock = await lockDirectory(directory);
    const cache = await DiskCache.open({
      directory,
      maxBytes,
      clock,
      onProblem: (error) => logger.warn({ err: error }, 'the disk cache is not written to for a minute'),
    });
    const held = lock;
    base.add({
      stop: async () => {
        await cache.close();
        await held.release();
      },
    });
    registerMetrics(base, cache, maxBytes);
    return {
      store: createCachedStore(store, { cache, isImmutable: isImmutableKey }),
      // What came damaged over the network was kept as it came: the next query reads it of the store.
      onDamaged: (key) => void cache.forget(key),
    };
  } catch (error) {
    await lock?.release();
    logger.error({ err: error, directory }, 'the disk cache cannot be used: queries read the bucket');
    return { store };
  }
}

function registerMetrics({ metrics, budgets }: Base, cache: DiskCache, maxBytes: number): void {
  budgets.add({ name: 'disk_cache', usedBytes: () => cache.usage.bytes, maxBytes });
  metrics.counter<'outcome'>({
    name: 'vivace_disk_cache_requests_total',
    help: 'Reads of blocks and the trace index by whether the disk had them; damaged ones are misses too.',
    labels: ['outcome'],
    collect: (set) => {
      const { hits, misses, damaged } = cache.usage;
      set({ outcome: 'hit' }, hits);
      set({ outcome: 'miss' }, misses);
      set({ outcome: 'damaged' }, damaged);
    },
  });
  metrics.counter({
    name: 'vivace_disk_cache_read_bytes_total',
    help: 'Bytes that the disk had, and that were not read of the store.',
    collect: (set) => set({}, cache.usage.hitBytes),
  });
  metrics.counter({
    name: 'vivace_disk_cache_evictions_total',
    help: 'Files that were removed from the disk cache for others.',
    collect: (set) => set({}, cache.usage.evictions),
  });
  metrics.counter<'reason'>({
    name: 'vivace_disk_cache_unkept_total',
    help: 'Reads that the disk cache did not keep: the disk failed, or has more to write than it can.',
    labels: ['reason'],
    collect: (set) => {
      const { failures, skipped } = cache.usage;
      set({ reason: 'failed' }, failures);
      set({ reason: 'skipped' }, skipped);
    },
  });
}
