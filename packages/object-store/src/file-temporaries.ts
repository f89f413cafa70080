import path from 'node:path';
import { type Files, systemErrorCode, type WritableFile } from '@vivace/kernel';
import { isKey, RESERVED_SEGMENT } from './keys.ts';

/**
 * Files on their way into the file-system store. A put keeps its file here until the directory of the key is
 * synced, under a name that tells the key: so what a killed process had linked but not synced is found at the
 * next start, and synced before anybody reads it.
 */
export interface FileTemporaries {
  /** Writes the parts to a new file and syncs it; the path of the file. */
  write(key: string, parts: readonly Uint8Array[]): Promise<string>;
  /** A second name for such a file, to be renamed to where it belongs. */
  double(file: string): Promise<string>;
  /** Removes a file. What stays, the next start removes. */
  remove(file: string): Promise<void>;
}

const MAX_NAME_LENGTH = 240;
// Not in the alphabet of keys.
const SLASH = '^';

/** Of all stores of this process: one given up with puts under way must not meet its successor's files. */
let count = 0;

/**
 * Opens the directory of temporaries under `root`, ends what an earlier process left in it, and resolves when
 * `settle` has made durable the directories of the keys it may have put (undefined: any).
 */
export async function openFileTemporaries(
  root: string,
  files: Files,
  settle: (key: string | undefined) => Promise<void>,
): Promise<FileTemporaries> {
  const directory = path.join(root, RESERVED_SEGMENT);
  await files.makeDirectory(directory);
  const names = (await files.readDirectory(directory)).filter((entry) => !entry.directory).map((entry) => entry.name);
  // A double without its first name has been dealt with; it tells no key and needs none.
  const told = names.filter((name) => name.includes(SLASH));
  for (const key of new Set(told.map(keyOf))) await settle(key);
  for (const name of names) await files.unlink(path.join(directory, name));

  const nameOf = (key: string) => {
    const name = `${++count}${SLASH}${key.replaceAll('/', SLASH)}`;
    return path.join(directory, name.length <= MAX_NAME_LENGTH ? name : `${count}${SLASH}`);
  };
  const remove = async (file: string) => {
    await files.unlink(file).catch(() => undefined);
  };

  return {
    async write(key, parts) {
      const file = nameOf(key);
      let open: WritableFile | undefined;
      try {
        open = await files.create(file);
        await open.append(parts);
        await open.sync();
      } catch (error) {
        await open?.close().catch(() => undefined);
        if (systemErrorCode(error) !== 'EEXIST') await remove(file);
        throw error;
      }
      await open.close();
      return file;
    },
    async double(file) {
      const name = path.join(directory, `${++count}`);
      await files.link(file, name);
      return name;
    },
    remove,
  };
}

/** The key a name tells; undefined where it was too long to be told. */
function keyOf(name: string): string | undefined {
  const key = name.slice(name.indexOf(SLASH) + 1).replaceAll(SLASH, '/');
  return isKey(key) ? key : undefined;
}
