import { VivaceError } from '@vivace/kernel';
import type { ByteRange } from './object-store.ts';

/** Errors that every store throws with the same kind and code. */

export function objectNotFound(key: string, cause?: unknown): VivaceError {
  return new VivaceError('not-found', 'object-not-found', `no such object: ${key}`, { cause });
}

/** The condition of a put did not hold, and nothing was written. */
export function preconditionFailed(key: string, cause?: unknown): VivaceError {
  return new VivaceError('conflict', 'precondition-failed', `the object is not as the put required: ${key}`, { cause });
}

export function rangeNotSatisfiable(key: string, range: ByteRange | undefined, cause?: unknown): VivaceError {
  const wanted = range ? `${range.length} bytes from ${range.offset}` : 'the range';
  return new VivaceError('invalid', 'range-not-satisfiable', `the object is too short for ${wanted}: ${key}`, {
    cause,
  });
}

/** What an aborted signal means to the caller: its own error, else `deadline` for a timeout, else `canceled`. */
export function abortError(signal: AbortSignal): VivaceError {
  const reason: unknown = signal.reason;
  if (reason instanceof VivaceError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return new VivaceError('deadline', 'deadline', 'the request ran out of time', { cause: reason });
  }
  return new VivaceError('canceled', 'canceled', 'the request was canceled', { cause: reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}
