import { type BlockCache, ColumnSlabs, createBlockCache } from '@vivace/block';
import { freeMemory } from '@vivace/kernel';

/** A cache for one task, after which nothing refers to what was read. */
export interface ScratchCache extends BlockCache {
  /** Gives the memory of all that was ever put back at once. Nobody may read through this cache any more. */
  free(): void;
}

/** Less is not worth it, and may be a constant that others share. */
const MIN_FREED_BYTES = 16 * 1024;

/**
 * Scans hold the columns that they decoded besides the cache, until they end: so all that is put is freed at the end,
 * also what the cache itself has dropped by then.
 */
export function createScratchCache({ maxBytes }: { maxBytes: number }): ScratchCache {
  const cache = createBlockCache({ maxBytes });
  const room = new ColumnSlabs();
  const arrays = new Set<Uint8Array | Int32Array | Uint32Array>();
  const note = (value: unknown, depth: number): void => {
    if (value instanceof Uint8Array || value instanceof Int32Array || value instanceof Uint32Array) {
      if (value.byteLength >= MIN_FREED_BYTES) arrays.add(value);
    } else if (depth > 0 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const part of Object.values(value)) note(part, depth - 1);
    }
  };
  return {
    pages: cache.pages,
    filters: cache.filters,
    keepsPartials: cache.keepsPartials,
    room,
    get: (key) => cache.get(key),
    put: (key, value, bytes) => {
      note(value, VALUE_DEPTH);
      cache.put(key, value, bytes);
    },
    free: () => {
      freeMemory(...arrays);
      arrays.clear();
      room.free();
    },
  };
}

/** Columns with a dictionary, and row groups, have their arrays in an object of their own. */
const VALUE_DEPTH = 2;
