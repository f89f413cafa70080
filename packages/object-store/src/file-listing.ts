import path from 'node:path';
import { type Files, systemErrorCode } from '@vivace/kernel';
import { isKey, RESERVED_SEGMENT } from './keys.ts';

/**
 * The keys under a root that start with `prefix` and come after `after`, in order. Reads only directories that
 * can hold such keys, and each when its turn comes, so that a page costs no more than its part of the tree.
 * Names that are no keys are other people's files and are passed over.
 */
export async function* listFiles(files: Files, root: string, prefix: string, after: string): AsyncGenerator<string> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk(files, root, folder, prefix, after);
}

async function* walk(
  files: Files,
  root: string,
  folder: string,
  prefix: string,
  after: string,
): AsyncGenerator<string> {
  for (const key of await keysIn(files, root, folder)) {
    if (!key.endsWith('/')) {
      if (key.startsWith(prefix) && key > after && isKey(key)) yield key;
      continue;
    }
    const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
    // Every key in it starts with its own, so all are past when it is and `after` is not inside.
    const allPast = key <= after && !after.startsWith(key);
    if (mayMatch && !allPast) yield* walk(files, root, key, prefix, after);
  }
}

/** Keys of files and, ending in `/`, of directories; the `/` makes them sort as the keys in them do. */
async function keysIn(files: Files, root: string, folder: string): Promise<string[]> {
  try {
    const entries = await files.readDirectory(path.join(root, folder));
    return entries
      .filter((entry) => folder !== '' || entry.name !== RESERVED_SEGMENT)
      .map((entry) => `${folder}${entry.name}${entry.directory ? '/' : ''}`)
      .sort();
  } catch (error) {
    const code = systemErrorCode(error);
    // Removed meanwhile, or never there: no keys.
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
