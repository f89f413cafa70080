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
import { contentEtag, writtenEtag } from './etag.ts';
import { createFileCatalog, type FileCatalog, HASHED_MAX_BYTES } from './file-catalog.ts';
import { createFileDirectories, type FileDirectories } from './file-directories.ts';
import { fileReadError, fileWriteError } from './file-errors.ts';
import { createFileHandles, type FileHandles, type OpenObject } from './file-handles.ts';
import { listFiles } from './file-listing.ts';
import { type FileTemporaries, openFileTemporaries } from './file-temporaries.ts';
import { createFileUpload } from './file-upload.ts';
import { createKeyLocks } from './key-locks.ts';
import { checkKey, checkLimit, checkPrefix, checkRange } from './keys.ts';
import type { ListedObject, ObjectStore, PutOptions, PutResult } from './object-store.ts';
import { objectNotFound, preconditionFailed, rangeNotSatisfiable, throwIfAborted } from './store-errors.ts';

export interface FileStoreOptions {
  /** Made if missing. Of one process and one store at a time: lock it, or something above it, first. */
  directory: string;
  files?: Files;
  clock?: Clock;
  /** Files kept open for reading, besides those being read. Default 64: a block's reads find it open. */
  maxOpenFiles?: number;
}

export interface FileStore extends ObjectStore {
  /** Closes the files kept open. */
  close(): Promise<void>;
}

const LIST_CONCURRENCY = 16;
const MAX_ATTEMPTS = 8;

/**
 * An object store in a directory: the object of a key is the file at that path.
 *
 * **Puts** write a temporary file, sync it, then give it its name (`link`, which fails where there is one, or
 * `rename`) and sync the directory; only then the put is done. Until the sync has succeeded nobody is shown the
 * object: a reader that comes meanwhile waits, and where the sync failed, or a process was killed before it, the
 * object is written anew before it is shown, for a sync that succeeds after one that failed proves nothing. So
 * what has been seen survives a loss of power, also for who reads back a put whose outcome it does not know.
 * The one thing that may come back, until its key is put again, is an object whose delete failed.
 *
 * **ETags** are content hashes up to 128 KiB. Beyond that they are size and time of writing, and a put that
 * would repeat the one it replaces writes again until the time differs: the same ETag never names other bytes.
 *
 * Objects are checked and changed under a lock a key, which is what conditions on an ETag rest on. The file
 * system must have hard links.
 */
export async function createFileStore(options: FileStoreOptions): Promise<FileStore> {
  const { files = systemFiles, clock = systemClock, maxOpenFiles = 64 } = options;
  const root = path.resolve(options.directory);
  const temporaries = await openDirectory(root, files);
  const directories = createFileDirectories(root, files);
  const catalog = createFileCatalog(root, files, async (key, temporary) => {
    await renew(parts, key);
    if (temporary !== undefined) await temporaries.remove(temporary);
  });
  const handles = createFileHandles({ maxOpen: maxOpenFiles });
  const locks = createKeyLocks();
  const parts: Parts = { files, clock, directories, catalog, handles, temporaries };
  await settleLeftovers(parts, root);

  /** Opens the object, or finds it open; to be given back with `handles.release`. */
  const take = async (key: string): Promise<OpenObject> =>
    handles.take(key) ??
    (await locks.run(key, async () => {
      const open = handles.take(key);
      if (open) return open;
      const found = await catalog.find(key);
      if (found === undefined) throw objectNotFound(key);
      const object = { ...found, file: await files.open(catalog.pathOf(key)) };
      handles.add(key, object);
      return object;
    }));

  /** The object as lists show it, or undefined when there is none. */
  const look = async (key: string): Promise<ListedObject | undefined> => {
    const found = await locks.run(key, () => catalog.find(key));
    return found && { key, size: found.size, etag: found.etag, lastModifiedMs: Math.floor(found.modifiedMs) };
  };

  const commitFile = async (file: string, key: string): Promise<PutResult> => {
    try {
      const { size } = await files.stat(file);
      // Only what is small is hashed; the rest need not be in memory again.
      const body = size > HASHED_MAX_BYTES ? undefined : [await files.readFile(file)];
      return await locks.run(key, () => commit(parts, key, body, file, undefined));
    } finally {
      if (!catalog.holds(key, file)) await temporaries.remove(file);
    }
  };

  return {
    async get(key, { range, ifNoneMatch, signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      checkRange(key, range);
      let object: OpenObject | undefined;
      try {
        object = await take(key);
        const { size, etag } = object;
        const info = { key, etag, lastModifiedMs: Math.floor(object.modifiedMs), storeTimeMs: clock.nowMs() };
        if (ifNoneMatch === etag) return { ...info, size: 0, bytes: new Uint8Array(0), notModified: true };
        const { offset, length } = range ?? { offset: 0, length: size };
        if (offset + length > size) throw rangeNotSatisfiable(key, range);
        const bytes = await object.file.read(offset, length);
        if (bytes.length < length) throw dataError('store-answer', `the file became shorter while open: ${key}`);
        throwIfAborted(signal);
        return { ...info, size, bytes, notModified: false };
      } catch (error) {
        throw fileReadError(error, key);
      } finally {
        if (object) handles.release(object);
      }
    },

    async put(key, body, { only, signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      let file: string | undefined;
      try {
        file = await temporaries.write(key, body);
        throwIfAborted(signal);
        const written = file;
        return await locks.run(key, () => commit(parts, key, body, written, only));
      } catch (error) {
        throw fileWriteError(error, key);
      } finally {
        if (file !== undefined && !catalog.holds(key, file)) await temporaries.remove(file);
      }
    },

    async delete(key, { signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      try {
        await locks.run(key, () => remove(parts, key));
      } catch (error) {
        throw fileReadError(error, key);
      }
    },

    async head(key, { signal } = {}) {
      throwIfAborted(signal);
      checkKey(key);
      const found = await look(key);
      if (found === undefined) throw objectNotFound(key);
      return { ...found, storeTimeMs: clock.nowMs() };
    },

    async list(prefix, { after = '', limit, signal } = {}) {
      throwIfAborted(signal);
      checkPrefix(prefix);
      const max = checkLimit(limit);
      try {
        for (const key of catalog.unsettledUnder(prefix)) await locks.run(key, () => catalog.settle(key));
        const keys: string[] = [];
        for await (const key of listFiles(files, root, prefix, after)) {
          keys.push(key);
          if (keys.length > max) break;
          throwIfAborted(signal);
        }
        const next = keys.length > max ? keys[max - 1] : undefined;
        const objects: ListedObject[] = [];
        for (let i = 0; i < Math.min(keys.length, max); i += LIST_CONCURRENCY) {
          throwIfAborted(signal);
          const batch = keys.slice(i, Math.min(i + LIST_CONCURRENCY, max));
          for (const object of await Promise.all(batch.map(look))) if (object) objects.push(object);
        }
        return { objects, next, storeTimeMs: clock.nowMs() };
      } catch (error) {
        throw fileReadError(error, prefix);
      }
    },

    beginUpload: async (key, { signal } = {}) => {
      throwIfAborted(signal);
      checkKey(key);
      return createFileUpload({ key, temporaries, commit: (file) => commitFile(file, key) });
    },

    async endUploads(prefix, { signal }) {
      throwIfAborted(signal);
      checkPrefix(prefix);
      // What a process has left is removed by the next start.
      return 0;
    },

    close: () => handles.close(),
  };
}

interface Parts {
  files: Files;
  clock: Clock;
  directories: FileDirectories;
  catalog: FileCatalog;
  handles: FileHandles;
  temporaries: FileTemporaries;
}

async function openDirectory(root: string, files: Files): Promise<FileTemporaries> {
  try {
    await files.makeDirectory(root);
    await syncParents(root, files);
    return await openFileTemporaries(root, files);
  } catch (error) {
    throw fileWriteError(error, root);
  }
}

/** Makes durable the name of the root, and those above it: who made them may have died before the sync. */
async function syncParents(root: string, files: Files): Promise<void> {
  for (let at = root; at !== path.dirname(at); at = path.dirname(at)) {
    await files.syncDirectory(path.dirname(at)).catch((error: unknown) => {
      // A directory that may not be read is older than this store.
      if (!['EACCES', 'EPERM'].includes(systemErrorCode(error) ?? '')) throw error;
    });
  }
}

/** Makes durable what a process that was killed may have put and not synced, and removes its temporaries. */
async function settleLeftovers(parts: Parts, root: string): Promise<void> {
  const { temporaries } = parts;
  const { leftovers } = temporaries;
  try {
    const keys = new Set(leftovers.map(({ key }) => key));
    if (keys.delete(undefined)) await syncTree(parts.files, root);
    for (const key of keys) await renew(parts, key as string);
    for (const { file } of leftovers) await temporaries.remove(file);
  } catch (error) {
    throw fileWriteError(error, root);
  }
}

/** Makes every name under a directory durable. */
async function syncTree(files: Files, directory: string): Promise<void> {
  for (const entry of await files.readDirectory(directory)) {
    if (entry.directory) await syncTree(files, path.join(directory, entry.name));
  }
  await files.syncDirectory(directory);
}

/**
 * Puts a temporary file that holds `body` in its place if the condition holds; under the key's lock. Without `body` the
 * file is large, and is not written again.
 */
async function commit(
  parts: Parts,
  key: string,
  body: readonly Uint8Array[] | undefined,
  file: string,
  only: PutOptions['only'],
): Promise<PutResult> {
  const { catalog, files, temporaries, clock } = parts;
  await catalog.settle(key);
  if (typeof only === 'object' && (await catalog.find(key))?.etag !== only.etag) throw preconditionFailed(key);
  let from = file;
  let { size, modifiedMs } = await files.stat(file);
  let etag = body === undefined || size > HASHED_MAX_BYTES ? writtenEtag(size, modifiedMs) : contentEtag(body);
  try {
    for (let attempt = 1; etag === catalog.lastWrittenEtag(key); attempt++) {
      if (attempt === MAX_ATTEMPTS || body === undefined) {
        throw new VivaceError('unavailable', 'store-failed', `the file system's clock stands still at ${key}`);
      }
      await clock.sleep(attempt);
      if (from !== file) await temporaries.remove(from);
      from = await temporaries.write(key, body);
      ({ size, modifiedMs } = await files.stat(from));
      etag = writtenEtag(size, modifiedMs);
    }
    await place(parts, key, from, only === 'absent');
  } finally {
    if (from !== file) await temporaries.remove(from);
  }
  catalog.remember(key, { size, modifiedMs, etag });
  return { etag, storeTimeMs: clock.nowMs() };
}

/** Gives a temporary file the name of its key, durably. */
async function place(parts: Parts, key: string, file: string, absent: boolean): Promise<void> {
  const { catalog, directories, files, handles, temporaries } = parts;
  const directory = catalog.directoryOf(key);
  let mark: number;
  handles.forget(key);
  for (let attempt = 1; ; attempt++) {
    await directories.ensure(directory);
    // The temporary keeps its first name until the sync: it tells a successor of a process killed before.
    const from = absent ? file : await temporaries.double(file, key);
    mark = directories.mark();
    catalog.unsettle(key, file);
    try {
      if (absent) await files.link(from, catalog.pathOf(key));
      else await files.rename(from, catalog.pathOf(key));
      break;
    } catch (error) {
      const code = systemErrorCode(error);
      if (!absent) await temporaries.remove(from);
      if (code !== 'EIO') catalog.settled(key);
      if (absent && code === 'EEXIST') throw preconditionFailed(key, error);
      // The last object of the directory was deleted meanwhile, and the directory with it.
      if (code !== 'ENOENT' || attempt === MAX_ATTEMPTS) throw error;
      directories.forget();
    }
  }
  // It may be another one by now: removed with its last object and made again, by who has not synced it yet.
  await directories.ensure(directory);
  await directories.sync(directory, mark);
  catalog.settled(key);
}

/** Makes durable what is at a key, whatever syncs have failed before; under the key's lock. */
async function renew({ catalog, directories, files, temporaries }: Parts, key: string): Promise<void> {
  const directory = catalog.directoryOf(key);
  let bytes: Uint8Array;
  try {
    bytes = await files.readFile(catalog.pathOf(key));
  } catch (error) {
    if (fileReadError(error, key).kind !== 'not-found') throw error;
    return directories.sync(directory);
  }
  const file = await temporaries.write(key, [bytes]);
  try {
    await directories.ensure(directory);
    const mark = directories.mark();
    await files.rename(file, catalog.pathOf(key));
    await directories.ensure(directory);
    await directories.sync(directory, mark);
  } catch (error) {
    await temporaries.remove(file);
    throw error;
  }
}

async function remove({ catalog, directories, files, handles }: Parts, key: string): Promise<void> {
  await catalog.settle(key);
  handles.forget(key);
  catalog.unsettle(key);
  const mark = directories.mark();
  try {
    await files.unlink(catalog.pathOf(key));
  } catch (error) {
    if (fileReadError(error, key).kind !== 'not-found') {
      if (systemErrorCode(error) !== 'EIO') catalog.settled(key);
      throw error;
    }
    // Who removed it may have died before the sync.
    await directories.sync(catalog.directoryOf(key), mark);
    catalog.settled(key);
    return;
  }
  await directories.prune(catalog.directoryOf(key), mark);
  catalog.settled(key);
}
