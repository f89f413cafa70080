import { assert, type Clock, concatBytes, systemClock } from '@vivace/kernel';
import { contentEtag } from './etag.ts';
import { checkKey, checkLimit, checkPrefix, checkRange } from './keys.ts';
import type { ObjectStore } from './object-store.ts';
import { objectNotFound, preconditionFailed, rangeNotSatisfiable, throwIfAborted } from './store-errors.ts';

export interface MemoryStoreOptions {
  /** Dates objects and answers. */
  clock?: Clock;
}

interface Entry {
  bytes: Uint8Array;
  etag: string;
  lastModifiedMs: number;
}

/**
 * An object store in this process's memory, for tests and simulations. Every call takes effect at once, before
 * it returns its promise, so the caller alone decides what happens in which order. ETags are content hashes,
 * as S3's are: a change and its undoing are not told apart.
 */
export function createMemoryStore({ clock = systemClock }: MemoryStoreOptions = {}): ObjectStore {
  const entries = new Map<string, Entry>();
  /** All keys in order; undefined when a key came or went since. */
  let sorted: string[] | undefined;

  const entryOf = (key: string): Entry => {
    checkKey(key);
    const entry = entries.get(key);
    if (entry === undefined) throw objectNotFound(key);
    return entry;
  };

  const store: ObjectStore = {
    async get(key, { range, ifNoneMatch, signal } = {}) {
      throwIfAborted(signal);
      checkRange(key, range);
      const { bytes, etag, lastModifiedMs } = entryOf(key);
      const storeTimeMs = clock.nowMs();
      if (ifNoneMatch === etag) {
        return { key, size: 0, etag, lastModifiedMs, storeTimeMs, bytes: new Uint8Array(0), notModified: true };
      }
      if (range && range.offset + range.length > bytes.length) throw rangeNotSatisfiable(key, range);
      // A copy: the caller may transfer it to another thread.
      const part = range ? bytes.slice(range.offset, range.offset + range.length) : bytes.slice();
      return { key, size: bytes.length, etag, lastModifiedMs, storeTimeMs, bytes: part, notModified: false };
    },

    async put(key, body, { only, signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      const present = entries.get(key);
      if (only === 'absent' && present) throw preconditionFailed(key);
      if (typeof only === 'object' && present?.etag !== only.etag) throw preconditionFailed(key);
      const etag = contentEtag(body);
      const now = clock.nowMs();
      if (!present) sorted = undefined;
      entries.set(key, { bytes: concatBytes(body), etag, lastModifiedMs: now });
      return { etag, storeTimeMs: now };
    },

    async delete(key, { signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      if (entries.delete(key)) sorted = undefined;
    },

    async head(key, { signal } = {}) {
      throwIfAborted(signal);
      const { bytes, etag, lastModifiedMs } = entryOf(key);
      return { key, size: bytes.length, etag, lastModifiedMs, storeTimeMs: clock.nowMs() };
    },

    async list(prefix, { after = '', limit, signal } = {}) {
      throwIfAborted(signal);
      checkPrefix(prefix);
      const max = checkLimit(limit);
      sorted ??= [...entries.keys()].sort();
      const objects = [];
      let next: string | undefined;
      for (let i = firstAfter(sorted, prefix, after); i < sorted.length; i++) {
        const key = sorted[i] as string;
        if (!key.startsWith(prefix)) break;
        if (objects.length === max) {
          next = objects[max - 1]?.key;
          break;
        }
        const { bytes, etag, lastModifiedMs } = entries.get(key) as Entry;
        objects.push({ key, size: bytes.length, etag, lastModifiedMs });
      }
      return { objects, next, storeTimeMs: clock.nowMs() };
    },

    async beginUpload(key, { signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      const pieces: Uint8Array[] = [];
      return {
        add: async (number, body, options) => {
          throwIfAborted(options?.signal);
          assert(number === pieces.length || number === pieces.length + 1, 'pieces are added one after another');
          pieces[number - 1] = concatBytes(body);
        },
        complete: (options) => store.put(key, pieces, options),
        abort: async () => void pieces.splice(0),
      };
    },

    async endUploads(prefix, { signal }) {
      throwIfAborted(signal);
      checkPrefix(prefix);
      return 0;
    },
  };
  return store;
}

/** Index of the first key that is at least `prefix` and greater than `after`. */
function firstAfter(sorted: readonly string[], prefix: string, after: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = sorted[middle] as string;
    if (key < prefix || key <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
