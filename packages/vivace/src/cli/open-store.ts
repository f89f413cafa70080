import type { Config } from '@vivace/config';
import type { Clock, Random } from '@vivace/kernel';
import {
  createFileStore,
  createReadOnlyStore,
  createRetryingStore,
  lockDirectory,
  type ObjectStore,
  openFileReader,
} from '@vivace/object-store';
import { openBucket } from '../storage.ts';

export interface OpenStore {
  store: ObjectStore;
  close: () => Promise<void>;
}

/** The configured store for reading beside whoever writes it: no lock, no probe, and no way to change it. */
export async function openStoreToRead(config: Config, clock: Clock, random: Random): Promise<OpenStore> {
  const { backend, local } = config.storage.trace;
  if (backend === 'local') {
    return { store: await openFileReader({ directory: local.path, clock }), close: async () => undefined };
  }
  const bucket = await openBucket(config, clock);
  return { store: createReadOnlyStore(createRetryingStore(bucket, { clock, random })), close: () => bucket.close() };
}

/** The same for writing. A directory is locked first: no server may have it. Of a bucket nobody can tell. */
export async function openStoreToWrite(config: Config, clock: Clock, random: Random): Promise<OpenStore> {
  const { backend, local } = config.storage.trace;
  if (backend === 'local') {
    // Asked first: a lock would make the directory.
    await openFileReader({ directory: local.path, clock });
    const lock = await lockDirectory(local.path);
    const store = await createFileStore({ directory: local.path, clock });
    return {
      store,
      close: async () => {
        await store.close();
        await lock.release();
      },
    };
  }
  const bucket = await openBucket(config, clock);
  return { store: createRetryingStore(bucket, { clock, random }), close: () => bucket.close() };
}

/** Runs `work` on the store of the settings, and lets go of it. */
export async function withStore<Result>(
  open: Promise<OpenStore>,
  work: (store: ObjectStore) => Promise<Result>,
): Promise<Result> {
  const { store, close } = await open;
  try {
    return await work(store);
  } finally {
    await close();
  }
}
