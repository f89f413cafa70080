import type { Clock, Random, VivaceError } from '@vivace/kernel';
import { type Manifest, openManifest } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';

export interface ManifestsOptions {
  store: ObjectStore;
  clock: Clock;
  random: Random;
  /** Manifests kept open at once; beyond, the one that was not asked for longest is closed. */
  maxOpen: number;
  onAlarm: (tenant: string, alarm: VivaceError) => void;
}

/** One open manifest a tenant, shared by everything in this process, so that it sees its own commits at once. */
export function createManifests(options: ManifestsOptions): (tenant: string) => Manifest {
  const { store, clock, random, maxOpen, onAlarm } = options;
  const open = new Map<string, Manifest>();
  // A second manifest beside one that commits could go on showing the root of before, when the spans are in blocks only.
  const committing = new Map<string, { manifest: Manifest; commits: number }>();

  const openOf = (tenant: string): Manifest => {
    const opened = openManifest({ store, tenant, clock, random, onAlarm: (alarm) => onAlarm(tenant, alarm) });
    const manifest: Manifest = {
      ...opened,
      commit: async (edit, signal) => {
        const busy = committing.get(tenant) ?? { manifest, commits: 0 };
        committing.set(tenant, busy);
        busy.commits++;
        try {
          return await opened.commit(edit, signal);
        } finally {
          busy.commits--;
          if (busy.commits === 0) committing.delete(tenant);
        }
      },
    };
    return manifest;
  };

  return (tenant) => {
    const manifest = open.get(tenant) ?? committing.get(tenant)?.manifest ?? openOf(tenant);
    open.delete(tenant);
    open.set(tenant, manifest);
    // Any name asked for opens one. A closed one has nothing that its root does not have.
    if (open.size > maxOpen) open.delete(open.keys().next().value as string);
    return manifest;
  };
}
