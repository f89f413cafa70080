import { type Clock, limitTime, orAborted, VivaceError } from '@vivace/kernel';

/**
 * A store that stalls is waited for so long, for the list of blocks and again for each read. What is known by
 * then reaches a client that gives up after 30 s, as Grafana does.
 */
export const STORE_PATIENCE_MS = 10_000;

/** Runs work on the store. Rejects with `unavailable` (code `store-timeout`) when the store stalls, else as `signal` says. */
export async function withPatience<T>(
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const late = () =>
    new VivaceError('unavailable', 'store-timeout', `the store did not answer within ${STORE_PATIENCE_MS / 1000} s`);
  const limit = limitTime(clock, STORE_PATIENCE_MS, late, signal);
  try {
    return await orAborted(work(limit.signal), limit.signal);
  } finally {
    limit.end();
  }
}
