import { checkKey } from './keys.ts';
import type { ObjectStore } from './object-store.ts';

/** A store whose keys are those of `store` under a folder: whole segments, `/` around them ignored; or nothing. */
export function createPrefixedStore(store: ObjectStore, folder: string): ObjectStore {
  const segments = folder.replace(/^\/+|\/+$/g, '');
  if (segments === '') return store;
  checkKey(segments);
  const prefix = `${segments}/`;
  const inside = (key: string) => {
    checkKey(key);
    return prefix + key;
  };
  const shorten = (key: string) => key.slice(prefix.length);
  return {
    async get(key, options) {
      return { ...(await store.get(inside(key), options)), key };
    },
    async put(key, body, options) {
      return store.put(inside(key), body, options);
    },
    async delete(key, options) {
      await store.delete(inside(key), options);
    },
    async head(key, options) {
      return { ...(await store.head(inside(key), options)), key };
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
    async beginUpload(key, options) {
      return store.beginUpload(inside(key), options);
    },
    async endUploads(within, options) {
      return store.endUploads(prefix + within, options);
    },
  };
}
