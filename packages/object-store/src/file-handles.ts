import type { ReadableFile } from '@vivace/kernel';

/** A file open for reading, with what is known of the object in it. */
export interface OpenObject {
  readonly file: ReadableFile;
  readonly size: number;
  readonly etag: string;
  readonly modifiedMs: number;
}

/**
 * The files most recently read, kept open, so that a read of a known object is one system call. An open file
 * stays the object it was when the key is replaced: whoever replaces a key calls `forget`.
 */
export interface FileHandles {
  /** The object of a key if it is open; give it back with `release`. */
  take(key: string): OpenObject | undefined;
  /** Adds an object just opened and takes it. */
  add(key: string, object: OpenObject): void;
  release(object: OpenObject): void;
  /** The key's object is no longer the open one; it closes when nobody reads it. */
  forget(key: string): void;
  /** Forgets all; resolves when those not in use are closed. */
  close(): Promise<void>;
}

export function createFileHandles({ maxOpen }: { maxOpen: number }): FileHandles {
  /** In the order of last use. */
  const open = new Map<string, OpenObject>();
  const users = new Map<OpenObject, number>();
  const forgotten = new Set<OpenObject>();

  const retire = async (object: OpenObject) => {
    if (users.has(object)) {
      forgotten.add(object);
      return;
    }
    forgotten.delete(object);
    // Nothing was written through it: a failing close loses nothing.
    await object.file.close().catch(() => undefined);
  };

  const use = (object: OpenObject) => users.set(object, (users.get(object) ?? 0) + 1);

  const forget = (key: string) => {
    const object = open.get(key);
    if (object === undefined) return;
    open.delete(key);
    void retire(object);
  };

  return {
    take(key) {
      const object = open.get(key);
      if (object === undefined) return undefined;
      open.delete(key);
      open.set(key, object);
      use(object);
      return object;
    },
    add(key, object) {
      forget(key);
      open.set(key, object);
      use(object);
      for (const oldest of open.keys()) {
        if (open.size <= maxOpen) break;
        forget(oldest);
      }
    },
    release(object) {
      const left = (users.get(object) as number) - 1;
      if (left > 0) {
        users.set(object, left);
        return;
      }
      users.delete(object);
      if (forgotten.has(object)) void retire(object);
    },
    forget,
    async close() {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(retire));
    },
  };
}
