/**
 * The one error class. A kind says what a caller can do about it; status codes of protocols exist only
 * at the edges, each in one total table over these kinds.
 */
export type ErrorKind =
  /** The request is wrong and will be wrong again. */
  | 'invalid'
  | 'unauthorized'
  | 'not-found'
  /** A precondition did not hold: somebody else was first. */
  | 'conflict'
  /** Over a rate or size limit; `retryAfterMs` says when to try again, absent means never. */
  | 'limited'
  /** A dependency is down or slow; the same request may succeed later. */
  | 'unavailable'
  | 'deadline'
  | 'canceled'
  /** Stored or received bytes are not what their format says. */
  | 'data'
  /** A defect of ours. */
  | 'internal';

export interface ErrorDetails {
  cause?: unknown;
  /** How long a caller should wait before it tries again, in milliseconds. */
  retryAfterMs?: number;
}

/**
 * Messages: lower case, what happened, what to do, values last. `code` is stable and kebab-case.
 */
export class VivaceError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'VivaceError';
    this.kind = kind;
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** True for a VivaceError of one of the kinds. */
export function isKind(error: unknown, ...kinds: ErrorKind[]): error is VivaceError {
  return error instanceof VivaceError && kinds.includes(error.kind);
}

/** The error itself if it is ours; anything else is a defect and becomes `internal`, or `canceled` for an abort. */
export function toVivaceError(error: unknown): VivaceError {
  if (error instanceof VivaceError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new VivaceError('canceled', 'canceled', 'the request was canceled', { cause: error });
  }
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new VivaceError('deadline', 'deadline', 'the request ran out of time', { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new VivaceError('internal', 'internal', message, { cause: error });
}

/** Bytes from outside that are not what their format says. */
export function dataError(code: string, message: string, cause?: unknown): VivaceError {
  return new VivaceError('data', code, message, cause === undefined ? {} : { cause });
}

/** Throws when a condition of the program itself does not hold. Never for bytes or requests from outside. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new VivaceError('internal', 'assertion', `assertion failed: ${message}`);
}
