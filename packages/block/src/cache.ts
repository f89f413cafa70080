import { type ByteCache, createByteCache } from './byte-cache.ts';
import { createPageArena, type PageArena } from './page-arena.ts';

/**
 * Decoded and fetched parts of blocks, bounded in bytes by whoever provides it. Keys begin with the block's
 * id. Values are never changed after `put`; a cache may drop any of them at any time.
 */
export interface BlockCache {
  get(key: string): unknown;
  put(key: string, value: object, bytes: number): void;
  /** Inflated pages. */
  readonly pages: PageArena;
  /** Filters and pieces of them. */
  readonly filters: ByteCache;
  /** Whether what queries work out of a block is kept too. */
  readonly keepsPartials: boolean;
}

export interface LruBlockCache extends BlockCache {
  /** Bytes held now, as their owners counted them. */
  readonly bytes: number;
}

/** A lookup inflates 3 MB, so that this keeps the pages of the last twenty, and of more where they meet. */
const MAX_ARENA_BYTES = 64 * 1024 * 1024;

/** Of the whole, where nothing else is said. */
const FILTER_PART = 1 / 8;

export interface BlockCacheOptions {
  maxBytes: number;
  /** For filters, besides `maxBytes`: scans, which read far more, do not push them out. Default an eighth more. */
  filterBytes?: number;
  /** Default false. */
  keepsPartials?: boolean;
}

/**
 * Keeps what was used last, at most `maxBytes` of it, of which a quarter is for inflated pages. What alone takes more
 * than half of the rest is not kept.
 */
export function createBlockCache({
  maxBytes,
  filterBytes = Math.floor(maxBytes * FILTER_PART),
  keepsPartials = false,
}: BlockCacheOptions): LruBlockCache {
  const arenaBytes = Math.min(MAX_ARENA_BYTES, Math.floor(maxBytes / 4));
  const parts = createByteCache({ maxBytes: maxBytes - arenaBytes });
  return {
    pages: createPageArena({ maxBytes: arenaBytes }),
    filters: createByteCache({ maxBytes: filterBytes }),
    keepsPartials,
    get bytes() {
      return parts.bytes;
    },
    get: (key) => parts.get(key),
    put: (key, value, bytes) => parts.put(key, value, bytes),
  };
}
