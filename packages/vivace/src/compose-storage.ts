import { type Config, logBackend } from '@vivace/config';
import type { Manifest } from '@vivace/manifest';
import { lockDirectory, type ObjectStore } from '@vivace/object-store';
import type { Base } from './compose-base.ts';
import { createManifests } from './manifests.ts';
import { openDiskCache, type Reads } from './open-disk-cache.ts';
import { openStorage } from './storage.ts';

export interface StoreParts {
  store: ObjectStore;
  /** The same for queries: what is read of blocks and the trace index may be kept on a disk. */
  reads: Reads;
  manifest: (tenant: string) => Manifest;
}

/** The object store and what it has of every tenant, with the locks of directories that are for one process. */
export async function openStore(base: Base): Promise<StoreParts> {
  const { config, clock, random, logger, metrics } = base;
  await lockDirectories(config, (stop) => base.add({ stop }));
  const storage = await openStorage(config, base);
  base.add({ stop: () => storage.close() });
  const { store } = storage;
  const alarms = metrics.counter({
    name: 'vivace_manifest_alarms_total',
    help: 'Tenants whose list of blocks went back in time: nothing is committed for them any more.',
  });
  const manifest = createManifests({
    store,
    clock,
    random,
    maxOpen: 2 * config.limits.max_tenants,
    onAlarm: (tenant, alarm) => {
      alarms.inc();
      logger.fatal({ err: alarm, tenant }, 'the manifest went back in time: no more commits');
    },
  });
  return { store, reads: await openDiskCache(base, store), manifest };
}

/** One process a log and, where the store is a directory, one a store. */
async function lockDirectories(config: Config, onStop: (stop: () => Promise<void>) => void): Promise<void> {
  const { backend, local, wal } = config.storage.trace;
  const directories = [
    ...(logBackend(config) === 'disk' ? [wal.path] : []),
    ...(backend === 'local' ? [local.path] : []),
  ];
  for (const directory of new Set(directories)) {
    const lock = await lockDirectory(directory);
    onStop(() => lock.release());
  }
}
