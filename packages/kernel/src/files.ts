import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';

/**
 * The file system as the log and the file-system store use it, small enough that a test can put a layer
 * below them that loses everything not yet synced (power loss) or fails at will (disk full).
 *
 * Durability, as POSIX and Linux have it: bytes survive after `sync` of their handle; a new, renamed,
 * linked or removed name survives after `syncDirectory` of its directory.
 */
export interface Files {
  /** Creates a file that must not exist yet (else EEXIST) for writing. */
  create(file: string): Promise<WritableFile>;
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

export interface WritableFile {
  /** Appends the parts one after another. On an error an unknown prefix may have been written. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** Makes everything appended so far durable (fdatasync). After a failure nothing about the file is known. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  /** Exactly `length` bytes from `position`, fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export const systemFiles: Files = {
  create: async (file) =>
    writable(await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644)),
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

function writable(handle: fs.FileHandle): WritableFile {
  return {
    append: async (parts) => {
      let rest = parts.filter((part) => part.length > 0);
      while (rest.length > 0) {
        const { bytesWritten } = await handle.writev(rest);
        rest = unwritten(rest, bytesWritten);
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

/** What is left of the parts after the system has taken the first `written` bytes. */
function unwritten(parts: Uint8Array[], written: number): Uint8Array[] {
  let left = written;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Uint8Array;
    if (left < part.length) return [part.subarray(left), ...parts.slice(i + 1)];
    left -= part.length;
  }
  return [];
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

/** The code of a system error (`ENOENT`, `ENOSPC` …), or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
