import * as fs from 'node:fs/promises';
import path from 'node:path';
import { createFile, type WritableFile } from './writable-file.ts';

/**
 * The file system as the log and the file-system store use it, small enough that a test can put a layer
 * below them that loses everything not yet synced (power loss) or fails at will (disk full).
 *
 * Durability, as POSIX and Linux have it: bytes survive after `sync` of their handle; a new, renamed,
 * linked or removed name survives after `syncDirectory` of its directory.
 */
export interface Files {
  /**
   * Creates a file that must not exist yet (else EEXIST) for writing. With `direct` every `append` must have a multiple
   * of `DIRECT_BLOCK_BYTES`, and passes by the system's page cache where system and file system allow that.
   */
  create(file: string, options?: { direct?: boolean }): Promise<WritableFile>;
  /** Opens a file for positioned reads. */
  open(file: string): Promise<ReadableFile>;
  readFile(file: string): Promise<Uint8Array>;
  /** A second name for a file; fails with EEXIST where the name is taken. */
  link(existing: string, name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
  /** Creates a directory and its missing parents, durably. */
  makeDirectory(directory: string): Promise<void>;
  removeDirectory(directory: string): Promise<void>;
  /** Names in a directory, unsorted; `directory` tells what each is. */
  readDirectory(directory: string): Promise<{ name: string; directory: boolean }[]>;
  stat(file: string): Promise<{ size: number; modifiedMs: number }>;
  /** Cuts a file to `size` bytes, durably, along with whatever it still held unsynced. */
  truncate(file: string, size: number): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
}

export interface ReadableFile {
  /** Exactly `length` bytes from `position`, fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export const systemFiles: Files = {
  create: createFile,
  open: async (file) => readable(await fs.open(file, 'r')),
  readFile: async (file) => fs.readFile(file),
  link: (existing, name) => fs.link(existing, name),
  rename: (from, to) => fs.rename(from, to),
  unlink: (file) => fs.unlink(file),
  makeDirectory: async (directory) => {
    const first = await fs.mkdir(directory, { recursive: true });
    if (first === undefined) return;
    // Every directory made needs its name made durable in its parent.
    for (let at = path.resolve(directory); at.length >= path.resolve(first).length; at = path.dirname(at)) {
      await syncDirectory(path.dirname(at));
    }
  },
  removeDirectory: (directory) => fs.rmdir(directory),
  readDirectory: async (directory) =>
    (await fs.readdir(directory, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      directory: entry.isDirectory(),
    })),
  stat: async (file) => {
    const stat = await fs.stat(file);
    return { size: stat.size, modifiedMs: stat.mtimeMs };
  },
  truncate: async (file, size) => {
    const handle = await fs.open(file, 'r+');
    try {
      await handle.truncate(size);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  },
  syncDirectory,
};

async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function readable(handle: fs.FileHandle): ReadableFile {
  return {
    read: async (position, length) => {
      const buffer = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled === length ? buffer : buffer.subarray(0, filled);
    },
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  };
}
