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

/** Too many bytes of requests are in memory: the clients are to come back, which they do by themselves. */
export function overloaded(maxBytes: number): VivaceError {
  return new VivaceError(
    'unavailable',
    'overloaded',
    `too many bytes of requests are in flight: try again; the limit is ${maxBytes} bytes`,
    { retryAfterMs: 1000 },
  );
}

/** Whether the client, the network or this process was slow, the client is to send it again: after a 408 it would not. */
export function bodyLate(timeoutMs: number): VivaceError {
  return new VivaceError(
    'unavailable',
    'body-late',
    `the body of the request was not there after ${timeoutMs / 1000} s: send it again`,
    { retryAfterMs: 1000 },
  );
}
