import { type Clock, fraction, isKind, type Random, VivaceError } from '@vivace/kernel';

/** How calls of the store are repeated. */
export interface Patience {
  clock: Clock;
  random: Random;
  /** Calls in all. Default: as many as it takes. */
  attempts?: number;
  /** Told of every failure that is followed by another attempt. */
  onFailure?: ((what: string, error: unknown) => void) | undefined;
}

const BASE_DELAY_MS = 50;
const MAX_DELAY_MS = 2000;

/** The wait before the attempt after so many failures: exponential with full jitter, at least what the store asks for. */
export async function backOff(
  failures: number,
  error: unknown,
  { clock, random }: Patience,
  signal?: AbortSignal,
): Promise<void> {
  const ceiling = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** Math.min(failures - 1, 10));
  const asked = error instanceof VivaceError ? (error.retryAfterMs ?? 0) : 0;
  await clock.sleep(Math.max(Math.min(asked, MAX_DELAY_MS), fraction(random) * ceiling), signal);
}

/** Tries again whatever another attempt may change. Rejects with the others, or once the signal is aborted. */
export async function persistently<T>(
  what: string,
  attempt: () => Promise<T>,
  patience: Patience,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (signal?.aborted === true || isFinal(error) || failures === patience.attempts) throw error;
      patience.onFailure?.(what, error);
      await backOff(failures, error, patience, signal);
    }
  }
}

/** Runs a call that is given up after `ms`: whether it was carried out is unknown then. */
export async function inTime<T>(
  call: (signal: AbortSignal) => Promise<T>,
  ms: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const cancel = clock.after(ms, () => {
    controller.abort(new VivaceError('unavailable', 'store-timeout', `the store did not answer within ${ms} ms`));
  });
  try {
    return await call(controller.signal);
  } finally {
    cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A failed condition is an answer; so is a missing object, and bytes that are damaged stay so. */
function isFinal(error: unknown): boolean {
  return isPreconditionFailed(error) || isKind(error, 'not-found', 'data', 'internal');
}

export function isPreconditionFailed(error: unknown): boolean {
  return isKind(error, 'conflict') && error.code === 'precondition-failed';
}
