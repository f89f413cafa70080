import path from 'node:path';
import { type Files, systemErrorCode } from '@vivace/kernel';
import { createKeyLocks } from './key-locks.ts';

/** The directories under a root as the file-system store makes, syncs and removes them. */
export interface FileDirectories {
  /** Makes the directory with its parents; resolves when its name is durable up to the root. */
  ensure(directory: string): Promise<void>;
  /** To be taken before a name is changed and handed to `sync`. */
  mark(): number;
  /**
   * Makes the names in the directory durable, or in its nearest parent that exists. Fails also when any sync
   * has failed since the mark: that one may have lost the change, and no later sync brings it back.
   */
  sync(directory: string, mark?: number): Promise<void>;
  /** Removes the directory if it is empty, and its parents; makes the removal of what was in it durable. */
  prune(directory: string, mark: number): Promise<void>;
  /** A directory known to exist does not: look again at all of them. */
  forget(): void;
}

const MAX_KNOWN = 8192;

export function createFileDirectories(root: string, files: Files): FileDirectories {
  /** Directories whose names this process has made durable; those found here are not synced again. */
  const durable = new Set<string>();
  // Making and removing exclude each other: else a put could see a parent that another has made but not synced.
  const locks = createKeyLocks();
  let failedSyncs = 0;

  const ensureLocked = async (directory: string): Promise<void> => {
    if (directory === root || durable.has(directory)) return;
    const parent = path.dirname(directory);
    await ensureLocked(parent);
    // An empty one may have been made by who died, or failed, before the sync; then only a new name can be synced.
    await files.removeDirectory(directory).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw error;
    });
    const mark = failedSyncs;
    await files.makeDirectory(directory).catch((error: unknown) => {
      // It syncs too.
      failedSyncs++;
      throw error;
    });
    await sync(parent, mark);
    if (durable.size >= MAX_KNOWN) durable.clear();
    durable.add(directory);
  };

  const sync = async (directory: string, mark = failedSyncs): Promise<void> => {
    for (let at = directory; ; at = path.dirname(at)) {
      try {
        await files.syncDirectory(at);
        break;
      } catch (error) {
        const code = systemErrorCode(error);
        if (at !== root && (code === 'ENOENT' || code === 'ENOTDIR')) continue;
        failedSyncs++;
        throw error;
      }
    }
    if (failedSyncs !== mark) {
      throw Object.assign(new Error(`another sync failed before that of ${directory}`), { code: 'EIO' });
    }
  };

  const removeEmpty = async (directory: string): Promise<string> => {
    for (let at = directory; at !== root; at = path.dirname(at)) {
      try {
        await files.removeDirectory(at);
      } catch {
        // Not empty, as a rule; whatever it is, an empty directory that stays does no harm.
        return at;
      }
      durable.delete(at);
    }
    return root;
  };

  return {
    async ensure(directory) {
      if (durable.has(directory)) return;
      await locks.run('', () => ensureLocked(directory));
    },
    mark: () => failedSyncs,
    sync,
    async prune(directory, mark) {
      await sync(await locks.run('', () => removeEmpty(directory)), mark);
    },
    forget() {
      durable.clear();
    },
  };
}
