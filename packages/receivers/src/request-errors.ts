import { VivaceError } from '@vivace/kernel';

/** Frames one body may have: a client sends one; each costs a visit to the thread pool. */
export const MAX_FRAMES = 1024;

export function malformedBody(encoding: string, reason: string, cause?: unknown): VivaceError {
  const details = cause === undefined ? {} : { cause };
  return new VivaceError('invalid', 'content-encoding', `the body is not ${encoding}: ${reason}`, details);
}
