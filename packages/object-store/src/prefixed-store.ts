import { checkKey } from './keys.ts';
import type { ObjectStore } from './object-store.ts';

/** A store whose keys are those of `store` under a folder: whole segments, `/` around them ignored; or nothing. */
export function createPrefixedStore(store: ObjectStore, folder: string): ObjectStore {
  const segments = folder.replace(/^\/+|\/+$/g, '');
  if (segments === '') return store;
  checkKey(segments);
  const prefix = `${segments}/`;
  const shorten = (key: string) => key.slice(prefix.length);
  return {
    async get(key, options) {
      return { ...(await store.get(prefix + key, options)), key };
    },
    put: (key, body, options) => store.put(prefix + key, body, options),
    delete: (key, options) => store.delete(prefix + key, options),
    async head(key, options) {
      return { ...(await store.head(prefix + key, options)), key };
    },
    async list(within, options = {}) {
      const { after } = options;
      const page = await store.list(
        prefix + within,
        after === undefined ? options : { ...options, after: prefix + after },
      );
      return {
        ...page,
        objects: page.objects.map((object) => ({ ...object, key: shorten(object.key) })),
        next: page.next === undefined ? undefined : shorten(page.next),
      };
    },
  };
}
