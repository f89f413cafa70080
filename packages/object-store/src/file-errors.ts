import { systemErrorCode, toVivaceError, VivaceError } from '@vivace/kernel';
import { objectNotFound } from './store-errors.ts';

/** What a system error met while reading, listing or removing a key means to the caller. */
export function fileReadError(error: unknown, key: string): VivaceError {
  const code = systemErrorCode(error);
  // A key may run through a file (ENOTDIR) or name a directory (EISDIR): there is no such object either way.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return objectNotFound(key, error);
  return fileError(error, key);
}

/** The same for putting: a directory that went missing is the store's trouble, not a missing object. */
export function fileWriteError(error: unknown, key: string): VivaceError {
  const code = systemErrorCode(error);
  if (code === 'ENOTDIR' || code === 'EISDIR' || code === 'EEXIST') {
    return new VivaceError('invalid', 'key-invalid', `one key is a folder of another: ${key}`, { cause: error });
  }
  return fileError(error, key);
}

function fileError(error: unknown, key: string): VivaceError {
  if (error instanceof VivaceError) return error;
  const code = systemErrorCode(error);
  switch (code) {
    case undefined:
      return toVivaceError(error);
    case 'ENOSPC':
    case 'EDQUOT':
      return new VivaceError('unavailable', 'store-full', `no space left in the store: free some, writing ${key}`, {
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new VivaceError(
        'unauthorized',
        'access-denied',
        `the system refuses access to the store (${code}): check owner and mode of its directory, at ${key}`,
        { cause: error },
      );
    case 'ENAMETOOLONG':
      return new VivaceError('invalid', 'key-invalid', `the path of the key is too long here: ${key}`, {
        cause: error,
      });
    default:
      return new VivaceError('unavailable', 'store-failed', `the file system failed (${code}) at ${key}`, {
        cause: error,
      });
  }
}
