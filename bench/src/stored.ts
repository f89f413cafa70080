import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Clock, type Random, systemErrorCode } from '@vivace/kernel';
import { entryObjects, listTenants, openManifest } from '@vivace/manifest';
import { createFileStore } from '@vivace/object-store';

/** Bytes on disk under a data directory. */
export interface Stored {
  /** Everything: log, blocks, manifest and whatever else there is. */
  totalBytes: number;
  /** What is left of the log. */
  logBytes: number;
  files: number;
}

/** Sizes of all files under `dataDir`; files that vanish meanwhile do not count. */
export async function measureStored(dataDir: string): Promise<Stored> {
  const stored: Stored = { totalBytes: 0, logBytes: 0, files: 0 };
  for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const size = await sizeOf(file);
    if (size === undefined) continue;
    stored.totalBytes += size;
    stored.files++;
    if (path.relative(dataDir, file).split(path.sep)[0] === 'wal') stored.logBytes += size;
  }
  return stored;
}

/** What the live blocks of a store hold. */
export interface StoredBlocks {
  blocks: number;
  objects: number;
  spans: number;
  /** Bytes by section, over all blocks. */
  sections: Record<string, number>;
}

/** Reads every tenant's manifest under `dataDir`. For a server that is stopped. */
export async function measureBlocks(
  dataDir: string,
  { clock, random, signal }: { clock: Clock; random: Random; signal: AbortSignal },
): Promise<StoredBlocks> {
  const store = await createFileStore({ directory: path.join(dataDir, 'store'), clock });
  const stored: StoredBlocks = { blocks: 0, objects: 0, spans: 0, sections: {} };
  try {
    for await (const tenant of listTenants(store, signal)) {
      const { live } = await openManifest({ store, tenant, clock, random }).snapshot(signal, { maxAgeMs: 0 });
      for (const entry of live) {
        stored.blocks++;
        stored.objects += entryObjects(entry).length;
        stored.spans += entry.rows;
        for (const [name, { length }] of Object.entries(entry.sections)) {
          stored.sections[name] = (stored.sections[name] ?? 0) + length;
        }
      }
    }
  } finally {
    await store.close();
  }
  return stored;
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
