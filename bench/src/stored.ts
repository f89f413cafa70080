import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '@vivace/kernel';

/** Bytes on disk under a data directory. */
export interface Stored {
  /** Everything: log, blocks, manifest and whatever else there is. */
  totalBytes: number;
  /** What is left of the log. */
  logBytes: number;
  files: number;
  /** Bytes by kind of file: the log, and the store's files by their ending. */
  sections: Map<string, number>;
}

/** Sizes of all files under `dataDir`; files that vanish meanwhile do not count. */
export async function measureStored(dataDir: string): Promise<Stored> {
  const stored: Stored = { totalBytes: 0, logBytes: 0, files: 0, sections: new Map() };
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const size = await sizeOf(file);
    if (size === undefined) continue;
    const section = sectionOf(path.relative(dataDir, file));
    stored.totalBytes += size;
    stored.files++;
    if (section === 'log') stored.logBytes += size;
    stored.sections.set(section, (stored.sections.get(section) ?? 0) + size);
  }
  return stored;
}

function sectionOf(relative: string): string {
  if (relative.split(path.sep)[0] === 'wal') return 'log';
  const extension = path.extname(relative);
  return extension === '' ? 'other' : extension.slice(1);
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
