import type { BlockCache, ByteCache, LruBlockCache } from '@vivace/block';

/** What the caches of query threads hold, and how often they had what was asked for. */
export interface CacheUsage {
  blockBytes: number;
  filterBytes: number;
  hits: number;
  misses: number;
}

/** Numbers in shared memory that one thread writes: nobody waits for a busy thread to know them. */
export type UsageCounters = Float64Array<SharedArrayBuffer>;

const BLOCK_BYTES = 0;
const FILTER_BYTES = 1;
const HITS = 2;
const MISSES = 3;
const COUNTERS = 4;

export function createUsageCounters(): UsageCounters {
  return new Float64Array(new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT));
}

/** The same cache, with what happens to it written down. Pages, which come and go with their columns, are not counted. */
export function countedCache(cache: LruBlockCache, counters: UsageCounters): BlockCache {
  const sized = () => {
    counters[BLOCK_BYTES] = cache.bytes;
    counters[FILTER_BYTES] = cache.filters.bytes;
  };
  const counted = (inner: Pick<ByteCache, 'get' | 'put'>): Pick<ByteCache, 'get' | 'put'> => ({
    get(key) {
      const value = inner.get(key);
      const at = value === undefined ? MISSES : HITS;
      counters[at] = (counters[at] as number) + 1;
      return value;
    },
    put(key, value, bytes) {
      inner.put(key, value, bytes);
      sized();
    },
  });
  const { filters } = cache;
  return {
    ...cache,
    ...counted(cache),
    filters: {
      ...counted(filters),
      get bytes() {
        return filters.bytes;
      },
    },
  };
}

/** Of all threads. */
export function sumUsage(threads: readonly UsageCounters[]): CacheUsage {
  const sum = (at: number) => threads.reduce((total, counters) => total + (counters[at] as number), 0);
  return { blockBytes: sum(BLOCK_BYTES), filterBytes: sum(FILTER_BYTES), hits: sum(HITS), misses: sum(MISSES) };
}
