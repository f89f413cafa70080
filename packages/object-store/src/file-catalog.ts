import path from 'node:path';
import type { Files } from '@vivace/kernel';
import { contentEtag, writtenEtag } from './etag.ts';
import { fileReadError } from './file-errors.ts';

/** Up to here an ETag is a content hash; roots are smaller, and larger objects are never put on an ETag. */
export const HASHED_MAX_BYTES = 128 * 1024;

/** ETags remembered, so that lists do not read small files again. */
const MAX_REMEMBERED = 8192;

interface FileObject {
  size: number;
  modifiedMs: number;
  etag: string;
}

/**
 * What the file-system store knows of the objects in its directory. All of it is used under the lock of the
 * key, except `unsettledUnder`.
 */
export interface FileCatalog {
  pathOf(key: string): string;
  directoryOf(key: string): string;
  /** What is there, once it is durable; undefined when there is nothing. */
  find(key: string): Promise<FileObject | undefined>;
  /** The ETag last seen at the key, also of an object no longer there, where it does not follow from content. */
  lastWrittenEtag(key: string): string | undefined;
  remember(key: string, object: FileObject): void;
  /**
   * The key is about to change: until `settled` or a `settle` that succeeds, its state may not be durable. The
   * temporary of the change, if any, stays until then.
   */
  unsettle(key: string, temporary?: string): void;
  settled(key: string): void;
  /** Makes durable what a change that did not succeed has left at the key; nothing to do for other keys. */
  settle(key: string): Promise<void>;
  unsettledUnder(prefix: string): string[];
  /** Whether the temporary has to stay. */
  holds(key: string, temporary: string): boolean;
}

/** `renew` makes what is at a key durable by putting it there anew; the key's temporary is then removed. */
export function createFileCatalog(
  root: string,
  files: Files,
  renew: (key: string, temporary: string | undefined) => Promise<void>,
): FileCatalog {
  /** Keys being changed and keys whose change did not succeed, with the temporary that says so to a successor. */
  const unsettled = new Map<string, string | undefined>();
  const remembered = new Map<string, FileObject>();

  const pathOf = (key: string) => path.join(root, ...key.split('/'));
  const directoryOf = (key: string) => path.dirname(pathOf(key));

  const settle = async (key: string): Promise<void> => {
    if (!unsettled.has(key)) return;
    await renew(key, unsettled.get(key));
    unsettled.delete(key);
  };

  const remember = (key: string, object: FileObject): FileObject => {
    remembered.delete(key);
    remembered.set(key, object);
    for (const oldest of remembered.keys()) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return object;
  };

  const describe = async (key: string): Promise<FileObject> => {
    await settle(key);
    const file = pathOf(key);
    const { size, modifiedMs } = await files.stat(file);
    const known = remembered.get(key);
    if (known && known.size === size && known.modifiedMs === modifiedMs) return known;
    if (size > HASHED_MAX_BYTES) return remember(key, { size, modifiedMs, etag: writtenEtag(size, modifiedMs) });
    const bytes = await files.readFile(file);
    return remember(key, { size: bytes.length, modifiedMs, etag: contentEtag([bytes]) });
  };

  return {
    pathOf,
    directoryOf,
    settle,
    async find(key) {
      try {
        return await describe(key);
      } catch (error) {
        const translated = fileReadError(error, key);
        if (translated.kind === 'not-found') return undefined;
        throw translated;
      }
    },
    lastWrittenEtag(key) {
      const known = remembered.get(key);
      return known && known.size > HASHED_MAX_BYTES ? known.etag : undefined;
    },
    remember,
    unsettle(key, temporary) {
      unsettled.set(key, temporary);
      // Another content of the same size and clock tick must not pass for this one. Large ones never are.
      const known = remembered.get(key);
      if (known && known.size <= HASHED_MAX_BYTES) remembered.delete(key);
    },
    settled: (key) => unsettled.delete(key),
    unsettledUnder: (prefix) => [...unsettled.keys()].filter((key) => key.startsWith(prefix)),
    holds: (key, temporary) => unsettled.get(key) === temporary,
  };
}
