import { type Clock, fraction, type Random, systemClock, systemRandom, VivaceError } from '@vivace/kernel';
import type { CallOptions, ObjectStore } from './object-store.ts';
import { abortError, throwIfAborted } from './store-errors.ts';

export interface RetryOptions {
  clock?: Clock;
  random?: Random;
  /** Calls in all, the first included. Default 5. */
  maxAttempts?: number;
  /** No new attempt begins after this. Default 20 s, within which a client of ours still waits. */
  maxElapsedMs?: number;
  /** The wait before attempt n + 1 is random in [0, min(`maxDelayMs`, `baseDelayMs` × 2ⁿ⁻¹)]. Default 50 ms. */
  baseDelayMs?: number;
  /** Default 2 s. */
  maxDelayMs?: number;
}

/**
 * A store that tries again what failed by no fault of the request: reads, lists, deletes, unconditional puts and
 * uploads, a piece at a time.
 * Conditional puts pass through once: after a failure whose outcome is unknown, only who made the condition can
 * tell an own success from somebody else's.
 *
 * Exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015);
 * a store's own `Retry-After` is the least wait.
 */
export function createRetryingStore(store: ObjectStore, options: RetryOptions = {}): ObjectStore {
  const retry = createRetry(options);
  return {
    get: (key, callOptions) => retry(callOptions, () => store.get(key, callOptions)),
    put: (key, body, callOptions) =>
      callOptions?.only === undefined
        ? retry(callOptions, () => store.put(key, body, callOptions))
        : store.put(key, body, callOptions),
    delete: (key, callOptions) => retry(callOptions, () => store.delete(key, callOptions)),
    head: (key, callOptions) => retry(callOptions, () => store.head(key, callOptions)),
    list: (prefix, callOptions) => retry(callOptions, () => store.list(prefix, callOptions)),
    beginUpload: async (key, beginOptions) => {
      const upload = await retry(beginOptions, () => store.beginUpload(key, beginOptions));
      return {
        add: (number, body, callOptions) => retry(callOptions, () => upload.add(number, body, callOptions)),
        complete: (callOptions) => retry(callOptions, () => upload.complete(callOptions)),
        abort: (callOptions) => retry(callOptions, () => upload.abort(callOptions)),
      };
    },
    endUploads: (prefix, callOptions) => retry(callOptions, () => store.endUploads(prefix, callOptions)),
  };
}

function createRetry({
  clock = systemClock,
  random = systemRandom,
  maxAttempts = 5,
  maxElapsedMs = 20_000,
  baseDelayMs = 50,
  maxDelayMs = 2000,
}: RetryOptions) {
  return async <T>(options: CallOptions | undefined, call: () => Promise<T>): Promise<T> => {
    const startMs = clock.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(options?.signal);
      try {
        return await call();
      } catch (error) {
        if (!isTransient(error) || attempt >= maxAttempts) throw error;
        const ceiling = Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1));
        const delayMs = Math.max(error.retryAfterMs ?? 0, fraction(random) * ceiling);
        if (clock.monotonicMs() - startMs + delayMs > maxElapsedMs) throw error;
        await clock.sleep(delayMs, options?.signal).catch((reason: unknown) => {
          throw options?.signal?.aborted ? abortError(options.signal) : reason;
        });
      }
    }
  };
}

/** Whether the same call may succeed in a moment. A full disk or a lost bucket takes a person. */
export function isTransient(error: unknown): error is VivaceError {
  if (!(error instanceof VivaceError)) return false;
  if (error.code === 'store-full' || error.code === 'bucket-missing') return false;
  return error.kind === 'unavailable' || error.kind === 'limited' || error.code === 'conditional-conflict';
}
