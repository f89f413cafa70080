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
}

export interface LruBlockCache extends BlockCache {
  /** Bytes held now, as their owners counted them. */
  readonly bytes: number;
}

/** A lookup inflates 3 MB, so that this keeps the pages of the last twenty, and of more where they meet. */
const MAX_ARENA_BYTES = 64 * 1024 * 1024;

/**
 * Keeps what was used last, at most `maxBytes` of it, of which a quarter is for inflated pages. What alone takes more
 * than half of the rest is not kept.
 */
export function createBlockCache({ maxBytes: allBytes }: { maxBytes: number }): LruBlockCache {
  const arenaBytes = Math.min(MAX_ARENA_BYTES, Math.floor(allBytes / 4));
  const maxBytes = allBytes - arenaBytes;
  // A Map iterates in the order of insertion; an entry that is used is inserted again.
  const entries = new Map<string, { value: object; bytes: number }>();
  let held = 0;
  const drop = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    held -= entry.bytes;
    entries.delete(key);
  };
  return {
    pages: createPageArena({ maxBytes: arenaBytes }),
    get bytes() {
      return held;
    },
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    put(key, value, bytes) {
      drop(key);
      if (bytes > maxBytes / 2) return;
      entries.set(key, { value, bytes });
      held += bytes;
      for (const oldest of entries.keys()) {
        if (held <= maxBytes) break;
        drop(oldest);
      }
    },
  };
}
