import type { ObjectStore } from '@vivace/object-store';

/** A store whose clock is `aheadMs` ahead: everything in it is as much older to who goes by the store's clock. */
export function laterStore(store: ObjectStore, aheadMs: number): ObjectStore {
  const later = <T extends { storeTimeMs: number }>(answer: T): T => ({
    ...answer,
    storeTimeMs: answer.storeTimeMs + aheadMs,
  });
  return {
    ...store,
    get: async (key, options) => later(await store.get(key, options)),
    put: async (key, body, options) => later(await store.put(key, body, options)),
    head: async (key, options) => later(await store.head(key, options)),
    list: async (prefix, options) => later(await store.list(prefix, options)),
    endUploads: (prefix, { minAgeMs, ...options }) =>
      store.endUploads(prefix, { ...options, minAgeMs: Math.max(0, minAgeMs - aheadMs) }),
  };
}
