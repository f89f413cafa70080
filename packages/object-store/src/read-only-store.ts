import { VivaceError } from '@vivace/kernel';
import type { ObjectStore } from './object-store.ts';

/** A store that refuses to be changed: `invalid`, code `store-read-only`. For whoever only looks. */
export function createReadOnlyStore(store: Pick<ObjectStore, 'get' | 'head' | 'list'>): ObjectStore {
  const refuse = (key: string) => {
    throw new VivaceError('invalid', 'store-read-only', `the store was opened for reading only: ${key}`);
  };
  return {
    get: (key, options) => store.get(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    put: async (key) => refuse(key),
    delete: async (key) => refuse(key),
    beginUpload: async (key) => refuse(key),
    endUploads: async (prefix) => refuse(prefix),
  };
}
