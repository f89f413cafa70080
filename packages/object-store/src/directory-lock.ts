import * as fs from 'node:fs/promises';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { systemErrorCode, VivaceError } from '@vivace/kernel';

export interface DirectoryLock {
  /** Lets another process have the directory; idempotent. The end of the process, however it comes, does it too. */
  release(): Promise<void>;
}

const LOCK_NAME = 'lock';
const HOLDER_NAME = 'lock.holder';

/** Whether a path is one of the files that `lockDirectory` leaves in a directory. */
export function isLockFile(file: string): boolean {
  return [LOCK_NAME, HOLDER_NAME].includes(path.basename(file));
}

/**
 * Locks a directory (made if missing) for this process, so that two never write one data directory. Throws
 * `conflict` (code `directory-locked`) naming the holder's process id, `unauthorized` (code `access-denied`) or
 * `unavailable` (code `directory-unusable`) where the directory cannot be used.
 *
 * The lock is the operating system's own on a file: a record lock on POSIX systems, `LockFileEx` on Windows,
 * taken through SQLite, which Node carries, as Node has no call for it. So nothing is ever stale: the system
 * lifts the lock with the process, also by `kill -9`, and it holds between containers that share a directory,
 * where process ids mean nothing. No decision rests on a process id, a start time or a clock; `lock.holder` is
 * for the message alone. A network file system must support locks (NFS does, with its lock service).
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const { DatabaseSync } = await import('node:sqlite');
  const holderFile = path.join(directory, HOLDER_NAME);
  let database: DatabaseSync | undefined;
  try {
    await fs.mkdir(directory, { recursive: true });
    // Found out here: what SQLite says of it is only "unable to open".
    await fs.access(directory, fs.constants.W_OK);
    database = new DatabaseSync(path.join(directory, LOCK_NAME));
    // Never written to, so never larger than nothing; the transaction stays open as long as the lock is held.
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    throw await lockError(error, directory, holderFile);
  }
  await fs.writeFile(holderFile, `${process.pid}\n`).catch((error: unknown) => {
    database.close();
    throw unusable(error, directory);
  });
  let held = true;
  return {
    async release() {
      if (!held) return;
      held = false;
      await fs.rm(holderFile, { force: true }).catch(() => undefined);
      database.close();
    },
  };
}

const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

async function lockError(error: unknown, directory: string, holderFile: string): Promise<VivaceError> {
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
  if (errcode === SQLITE_BUSY) {
    const text = await fs.readFile(holderFile, 'utf8').catch(() => '');
    const pid = /^\d{1,10}\n$/.test(text) ? `process ${text.trim()}` : 'another process';
    return new VivaceError(
      'conflict',
      'directory-locked',
      `the data directory is in use by ${pid}: stop it or choose another directory, ${directory}`,
      { cause: error },
    );
  }
  if (errcode === SQLITE_NOTADB) {
    return new VivaceError(
      'unavailable',
      'directory-unusable',
      `the file "${LOCK_NAME}" in the data directory is not ours: remove it, ${directory}`,
      { cause: error },
    );
  }
  return unusable(error, directory);
}

function unusable(error: unknown, directory: string): VivaceError {
  const code = systemErrorCode(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new VivaceError(
      'unauthorized',
      'access-denied',
      `the data directory cannot be written (${code}): check its owner and mode or choose another, ${directory}`,
      { cause: error },
    );
  }
  const inTheWay = code === 'EEXIST' || code === 'ENOTDIR';
  const what = inTheWay
    ? 'a file is where the data directory has to be: remove it'
    : `the data directory cannot be used (${code ?? (error instanceof Error ? error.message : String(error))}): repair it`;
  return new VivaceError('unavailable', 'directory-unusable', `${what} or choose another directory, ${directory}`, {
    cause: error,
  });
}
