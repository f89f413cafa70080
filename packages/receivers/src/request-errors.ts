import { VivaceError } from '@vivace/kernel';

/** Answered with 413 over HTTP; the only `limited` that is. */
export const TOO_LARGE = 'request-too-large';

export function tooLarge(maxBytes: number): VivaceError {
  return new VivaceError(
    'limited',
    TOO_LARGE,
    `the request is larger than max_request_bytes, uncompressed: send smaller batches or raise the limit of ${maxBytes} bytes`,
  );
}

/** Frames one body may have: a client sends one; each costs a visit to the thread pool. */
export const MAX_FRAMES = 1024;

/** Too many bytes of requests are in memory: the clients are to come back, which they do by themselves. */
export function overloaded(maxBytes: number): VivaceError {
  return new VivaceError(
    'unavailable',
    'overloaded',
    `too many bytes of requests are in flight: try again; the limit is ${maxBytes} bytes`,
    { retryAfterMs: 1000 },
  );
}

export function malformedBody(encoding: string, reason: string, cause?: unknown): VivaceError {
  const details = cause === undefined ? {} : { cause };
  return new VivaceError('invalid', 'content-encoding', `the body is not ${encoding}: ${reason}`, details);
}
