/**
 * Inflated pages, in a few large buffers that are used again: the pages that were put longest ago go first.
 *
 * A buffer of its own for each page would be memory that the garbage collector hears of: with 3 MB inflated a lookup it
 * ran every ten lookups, 5 to 20 ms each. docs/decisions/0011-pages-live-in-an-arena.md
 */
export interface PageArena {
  get(key: string): Uint8Array | undefined;
  /**
   * Room for a page, of `length` bytes with what was there before; undefined where it is too large. It is the page of
   * `key` from now on, until `forget` or until its place is needed: read it at once, and never keep it.
   */
  reserve(key: string, length: number): Uint8Array | undefined;
  /** Takes back what was reserved last, which could not be filled. */
  forget(key: string): void;
}

const SLAB_BYTES = 8 * 1024 * 1024;

interface Slab {
  bytes: Uint8Array;
  used: number;
  keys: string[];
}

/** At most `maxBytes`, in slabs that are allocated when they are needed. */
export function createPageArena({
  maxBytes,
  slabBytes = SLAB_BYTES,
}: {
  maxBytes: number;
  slabBytes?: number;
}): PageArena {
  const maxSlabs = Math.floor(maxBytes / slabBytes);
  // Oldest first; the last is being filled.
  const slabs: Slab[] = [];
  const pages = new Map<string, Uint8Array>();
  const nextSlab = (): Slab => {
    const made = slabs.length < maxSlabs ? { bytes: new Uint8Array(slabBytes), used: 0, keys: [] } : emptied();
    slabs.push(made);
    return made;
  };
  const emptied = (): Slab => {
    const { bytes, keys } = slabs.shift() as Slab;
    for (const key of keys) if (pages.get(key)?.buffer === bytes.buffer) pages.delete(key);
    return { bytes, used: 0, keys: [] };
  };
  return {
    get: (key) => pages.get(key),
    reserve(key, length) {
      // A page that takes much of a slab would push many small ones out, and leave room unused.
      if (maxSlabs === 0 || length > slabBytes / 4) return undefined;
      const last = slabs.at(-1);
      const slab = last !== undefined && last.used + length <= slabBytes ? last : nextSlab();
      const page = slab.bytes.subarray(slab.used, slab.used + length);
      slab.used += length;
      slab.keys.push(key);
      pages.set(key, page);
      return page;
    },
    forget: (key) => {
      pages.delete(key);
    },
  };
}
