import { type Dirent, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { systemErrorCode } from '@vivace/kernel';

/** A block under a data directory. */
export interface StoredBlock {
  id: string;
  /** Where its objects are as files. */
  directory: string;
  /** Names of its objects. */
  objects: string[];
}

/** All blocks of all tenants that the file-system store under `dataDir` holds, oldest first. */
export function storedBlocks(dataDir: string): StoredBlock[] {
  const byDirectory = new Map<string, StoredBlock>();
  for (const entry of filesBelow(path.join(dataDir, 'store'))) {
    if (!entry.isFile() || !/\/blocks\/[0-9a-f]{2}\/[0-9a-f-]{36}$/.test(entry.parentPath)) continue;
    const directory = entry.parentPath;
    const block = byDirectory.get(directory) ?? { id: path.basename(directory), directory, objects: [] };
    block.objects.push(entry.name);
    byDirectory.set(directory, block);
  }
  return [...byDirectory.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A directory may go while its parent is read. */
function filesBelow(directory: string): Dirent[] {
  for (;;) {
    try {
      return readdirSync(directory, { recursive: true, withFileTypes: true });
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' || !existsSync(directory)) throw error;
    }
  }
}
