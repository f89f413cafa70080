import { type Clock, systemClock } from '@vivace/kernel';
import type { GetOptions, ObjectStore, StoredObject } from './object-store.ts';
import { ReadLatency } from './read-latency.ts';
import { isTransient } from './retrying-store.ts';

export interface HedgingOptions {
  /** A read that has not answered for so long is sent once more; `auto`: longer than nineteen of twenty reads take. */
  delayMs: number | 'auto';
  /** Requests for one read at most, the first included. Default 2. */
  maxRequests?: number;
  clock?: Clock;
  metrics?: HedgingMetrics;
}

/** Where it is counted what became of reads that took too long. */
export interface HedgingMetrics {
  /** A read that was sent more than once has ended: the first request was the one that answered, or a later one. */
  ended(answered: 'first' | 'later'): void;
  /** A read was not sent once more, because too many were. */
  denied(): void;
}

/** A store that is slow as a whole gets so many requests more: one for twenty reads, and a few at once. */
const TOKENS_A_READ = 0.05;
const MAX_TOKENS = 10;
/** Sooner nobody would notice. */
const MIN_AUTO_DELAY_MS = 50;

/**
 * A store that sends a read once more when it takes unusually long, takes the answer that comes first and cancels the
 * other (Dean, Barroso, "The Tail at Scale", CACM 2013). Only gets, which may be done twice; whichever answers was asked
 * after the call was made, so what it says is no older. Nothing that fails is tried again here: put it below the retries,
 * and above the metrics that count what the bucket's bill counts.
 */
export function createHedgingStore(
  store: ObjectStore,
  { delayMs, maxRequests = 2, clock = systemClock, metrics }: HedgingOptions,
): ObjectStore {
  const latency = new ReadLatency();
  let tokens = 1;

  const delayOf = ({ range }: GetOptions): number | undefined => {
    if (delayMs !== 'auto') return delayMs;
    const usualMs = latency.usualMs(range);
    return usualMs === undefined ? undefined : Math.max(MIN_AUTO_DELAY_MS, usualMs);
  };
  const mayAsk = (): boolean => {
    if (tokens < 1) {
      metrics?.denied();
      return false;
    }
    tokens--;
    return true;
  };

  const hedged = (key: string, options: GetOptions, afterMs: number): Promise<StoredObject> => {
    const { promise, resolve, reject } = Promise.withResolvers<StoredObject>();
    const requests: AbortController[] = [];
    let waiting = 0;
    let cancelTimer = (): void => undefined;
    const end = (request: AbortController, settle: () => void): void => {
      cancelTimer();
      for (const other of requests) if (other !== request) other.abort();
      if (requests.length > 1) metrics?.ended(request === requests[0] ? 'first' : 'later');
      settle();
      // What the others answer now is nobody's.
      requests.length = 0;
    };
    const send = (): void => {
      const request = new AbortController();
      requests.push(request);
      waiting++;
      const { signal } = options;
      const either = signal === undefined ? request.signal : AbortSignal.any([signal, request.signal]);
      store.get(key, { ...options, signal: either }).then(
        (object) => {
          if (requests.includes(request)) end(request, () => resolve(object));
        },
        (error: unknown) => {
          waiting--;
          if (!requests.includes(request)) return;
          // That an object is missing is an answer; a request that was lost says nothing about the other.
          if (waiting === 0 || !isTransient(error)) end(request, () => reject(error as Error));
        },
      );
      if (requests.length < maxRequests) cancelTimer = clock.after(afterMs, () => void (mayAsk() && send()));
    };
    send();
    return promise;
  };

  return {
    get: async (key, options = {}) => {
      tokens = Math.min(MAX_TOKENS, tokens + TOKENS_A_READ);
      const startMs = clock.monotonicMs();
      const afterMs = delayOf(options);
      const object = await (afterMs === undefined || maxRequests < 2
        ? store.get(key, options)
        : hedged(key, options, afterMs));
      // Where a later request has answered the first would have taken longer than this, which is more than usual anyway.
      latency.observe(options.range, clock.monotonicMs() - startMs);
      return object;
    },
    put: (key, body, options) => store.put(key, body, options),
    delete: (key, options) => store.delete(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    beginUpload: (key, options) => store.beginUpload(key, options),
    endUploads: (prefix, options) => store.endUploads(prefix, options),
  };
}
