import type { ObjectStore } from './object-store.ts';

/** Calls made so far, failed ones too; bytes of those that succeeded. */
export interface StoreCounts {
  /** Gets of whole objects. */
  gets: number;
  /** Gets of ranges. */
  ranges: number;
  puts: number;
  deletes: number;
  heads: number;
  lists: number;
  uploads: number;
  /** Pieces of uploads. */
  pieces: number;
  bytesRead: number;
  bytesWritten: number;
}

export interface CountingStore extends ObjectStore {
  readonly counts: Readonly<StoreCounts>;
  /** Sets all counts to zero. */
  reset(): void;
}

/** A store that counts, so that a test can say what an operation may cost. */
export function createCountingStore(store: ObjectStore): CountingStore {
  const counts: StoreCounts = zero();
  return {
    counts,
    reset: () => void Object.assign(counts, zero()),
    async get(key, options) {
      if (options?.range) counts.ranges++;
      else counts.gets++;
      const object = await store.get(key, options);
      counts.bytesRead += object.bytes.length;
      return object;
    },
    async put(key, body, options) {
      counts.puts++;
      const result = await store.put(key, body, options);
      for (const part of body) counts.bytesWritten += part.length;
      return result;
    },
    async delete(key, options) {
      counts.deletes++;
      await store.delete(key, options);
    },
    async head(key, options) {
      counts.heads++;
      return store.head(key, options);
    },
    async list(prefix, options) {
      counts.lists++;
      return store.list(prefix, options);
    },
    async beginUpload(key, options) {
      counts.uploads++;
      const upload = await store.beginUpload(key, options);
      return {
        ...upload,
        add: async (number, body, callOptions) => {
          await upload.add(number, body, callOptions);
          counts.pieces++;
          for (const part of body) counts.bytesWritten += part.length;
        },
      };
    },
    endUploads: (prefix, options) => store.endUploads(prefix, options),
  };
}

function zero(): StoreCounts {
  return {
    gets: 0,
    ranges: 0,
    puts: 0,
    deletes: 0,
    heads: 0,
    lists: 0,
    uploads: 0,
    pieces: 0,
    bytesRead: 0,
    bytesWritten: 0,
  };
}
