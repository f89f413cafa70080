import path from 'node:path';
import {
  type Clock,
  dataError,
  type Files,
  systemClock,
  systemErrorCode,
  systemFiles,
  VivaceError,
} from '@vivace/kernel';
import { createFileCatalog } from './file-catalog.ts';
import { fileReadError } from './file-errors.ts';
import { listFiles } from './file-listing.ts';
import { checkKey, checkLimit, checkPrefix, checkRange } from './keys.ts';
import type { ListedObject, ObjectStore } from './object-store.ts';
import { createReadOnlyStore } from './read-only-store.ts';
import { objectNotFound, rangeNotSatisfiable, throwIfAborted } from './store-errors.ts';

export interface FileReaderOptions {
  directory: string;
  files?: Files;
  clock?: Clock;
}

/**
 * The objects of a file-system store, for reading beside the process that writes it: takes no lock, makes nothing, and
 * leaves alone what that process has under way. What is there under its name is whole, because puts rename. One thing
 * is weaker than in `createFileStore`: what was read may not be synced yet, so a loss of power may take it away again.
 *
 * Rejects with `unavailable` (code `store-unusable`) where there is no such directory.
 */
export async function openFileReader(options: FileReaderOptions): Promise<ObjectStore> {
  const { files = systemFiles, clock = systemClock } = options;
  const root = path.resolve(options.directory);
  await files.readDirectory(root).catch((error: unknown) => {
    const code = systemErrorCode(error) ?? 'unknown';
    const message = `there is no store to read (${code}): ${options.directory}`;
    throw new VivaceError('unavailable', 'store-unusable', message, { cause: error });
  });
  const catalog = createFileCatalog(root, files, async () => undefined);
  const look = async (key: string): Promise<ListedObject | undefined> => {
    const found = await catalog.find(key);
    return found && { key, size: found.size, etag: found.etag, lastModifiedMs: Math.floor(found.modifiedMs) };
  };
  const info = async (key: string): Promise<ListedObject> => {
    const found = await look(key);
    if (found === undefined) throw objectNotFound(key);
    return found;
  };
  return createReadOnlyStore({
    async get(key, { range, ifNoneMatch, signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      checkRange(key, range);
      try {
        const object = { ...(await info(key)), storeTimeMs: clock.nowMs() };
        if (ifNoneMatch === object.etag) return { ...object, size: 0, bytes: new Uint8Array(0), notModified: true };
        const file = await files.open(catalog.pathOf(key));
        try {
          // A root that was replaced meanwhile is another file: its own size counts, not the one found before.
          const size = await file.size();
          const { offset, length } = range ?? { offset: 0, length: size };
          if (offset + length > size) throw rangeNotSatisfiable(key, range);
          const bytes = await file.read(offset, length);
          if (bytes.length < length) throw dataError('store-answer', `the file became shorter while open: ${key}`);
          throwIfAborted(signal);
          return { ...object, size, bytes, notModified: false };
        } finally {
          await file.close();
        }
      } catch (error) {
        throw fileReadError(error, key);
      }
    },

    async head(key, { signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      return { ...(await info(key)), storeTimeMs: clock.nowMs() };
    },

    async list(prefix, { after = '', limit, signal } = {}) {
      throwIfAborted(signal);
      checkPrefix(prefix);
      const max = checkLimit(limit);
      try {
        const keys: string[] = [];
        for await (const key of listFiles(files, root, prefix, after)) {
          keys.push(key);
          if (keys.length > max) break;
          throwIfAborted(signal);
        }
        const next = keys.length > max ? keys[max - 1] : undefined;
        const objects: ListedObject[] = [];
        for (const key of keys.slice(0, max)) {
          throwIfAborted(signal);
          const object = await look(key);
          if (object !== undefined) objects.push(object);
        }
        return { objects, next, storeTimeMs: clock.nowMs() };
      } catch (error) {
        throw fileReadError(error, prefix);
      }
    },
  });
}
