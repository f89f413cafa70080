import type { DiskCache } from './disk-cache.ts';
import { checkRange } from './keys.ts';
import type { ObjectStore } from './object-store.ts';
import { throwIfAborted } from './store-errors.ts';

export interface CachedStoreOptions {
  cache: DiskCache;
  /** Whether the object of a key is never replaced by one with other bytes. Of others nothing is kept. */
  isImmutable: (key: string) => boolean;
}

/**
 * A store that keeps what is read of immutable objects on a disk. What is kept is answered also when the object has been
 * deleted by others meanwhile; times are those of the first answer.
 */
export function createCachedStore(store: ObjectStore, { cache, isImmutable }: CachedStoreOptions): ObjectStore {
  const forget = async (key: string): Promise<void> => {
    if (isImmutable(key)) await cache.forget(key);
  };
  return {
    get: async (key, options = {}) => {
      const { range, ifNoneMatch, signal } = options;
      if (ifNoneMatch !== undefined || !isImmutable(key)) return store.get(key, options);
      checkRange(key, range);
      throwIfAborted(signal);
      const kept = await cache.read(key, range);
      if (kept !== undefined) return kept;
      const object = await store.get(key, options);
      cache.keep(object, range);
      return object;
    },
    put: async (key, body, options) => {
      const result = await store.put(key, body, options);
      await forget(key);
      return result;
    },
    delete: async (key, options) => {
      await store.delete(key, options);
      await forget(key);
    },
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    beginUpload: async (key, options) => {
      const upload = await store.beginUpload(key, options);
      return {
        add: (number, body, callOptions) => upload.add(number, body, callOptions),
        complete: async (callOptions) => {
          const result = await upload.complete(callOptions);
          await forget(key);
          return result;
        },
        abort: (callOptions) => upload.abort(callOptions),
      };
    },
    endUploads: (prefix, options) => store.endUploads(prefix, options),
  };
}
