import { type Clock, fraction, type Random, systemClock, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from './object-store.ts';
import { abortError, preconditionFailed } from './store-errors.ts';

/** How a call fails as its caller sees it. `precondition-failed` is what a resend by a proxy on the way gets. */
export type FaultAnswer = '409' | '412' | '429' | '500' | '503' | 'reset' | 'timeout';

/** What goes wrong with one call. */
export type Fault =
  /** The store never does it. */
  | { kind: 'refused'; answer: FaultAnswer }
  /** The store does it at once, and the caller is not told so. */
  | { kind: 'done'; answer: FaultAnswer }
  /** The caller is told of a timeout now; the store does it `delayMs` later. */
  | { kind: 'late'; delayMs: number }
  /** Done after `delayMs`, with its true answer. */
  | { kind: 'slow'; delayMs: number };

export interface FaultCall {
  operation: 'get' | 'put' | 'delete' | 'head' | 'list' | 'upload';
  /** A key, or the prefix of a list. */
  key: string;
  conditional: boolean;
  /** 1 for the first call of the store. */
  number: number;
}

/** Says what goes wrong with a call; undefined for nothing. */
export type FaultPlan = (call: FaultCall) => Fault | undefined;

export interface FaultyStore extends ObjectStore {
  /** While true every call fails at once, as when nothing listens. */
  down: boolean;
  plan: FaultPlan;
  /** Resolves when everything late has landed. */
  settle(): Promise<void>;
}

/** A store on which everything may go wrong that a bucket across a network can do. For tests. */
export function createFaultyStore(
  store: ObjectStore,
  { plan = () => undefined, clock = systemClock }: { plan?: FaultPlan; clock?: Clock } = {},
): FaultyStore {
  let number = 0;
  const landing = new Set<Promise<unknown>>();

  const run = async <T>(
    call: Omit<FaultCall, 'number'>,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> => {
    number++;
    if (faulty.down) throw faultError('reset', call.key);
    const fault = faulty.plan({ ...call, number });
    switch (fault?.kind) {
      case undefined:
        return work(signal);
      case 'refused':
        throw faultError(fault.answer, call.key);
      case 'done':
        await work(signal);
        throw faultError(fault.answer, call.key);
      case 'slow':
        await clock.sleep(fault.delayMs, signal).catch((reason: unknown) => {
          throw signal?.aborted ? abortError(signal) : reason;
        });
        return work(signal);
      case 'late': {
        // The caller's signal no longer reaches what is on its way; nobody hears how it ends.
        const landed: Promise<unknown> = clock
          .sleep(fault.delayMs)
          .then(() => work(undefined))
          .catch(() => undefined)
          .finally(() => landing.delete(landed));
        landing.add(landed);
        throw faultError('timeout', call.key);
      }
    }
  };

  const faulty: FaultyStore = {
    down: false,
    plan,
    async settle() {
      while (landing.size > 0) await Promise.all(landing);
    },
    get: (key, options) =>
      run({ operation: 'get', key, conditional: options?.ifNoneMatch !== undefined }, options?.signal, (signal) =>
        store.get(key, withSignal(options, signal)),
      ),
    put: (key, body, options) => {
      // The bytes as they are now: late ones land after the caller may have used the memory again.
      const copy = body.map((part) => part.slice());
      return run({ operation: 'put', key, conditional: options?.only !== undefined }, options?.signal, (signal) =>
        store.put(key, copy, withSignal(options, signal)),
      );
    },
    delete: (key, options) =>
      run({ operation: 'delete', key, conditional: false }, options?.signal, (signal) =>
        store.delete(key, withSignal(options, signal)),
      ),
    head: (key, options) =>
      run({ operation: 'head', key, conditional: false }, options?.signal, (signal) =>
        store.head(key, withSignal(options, signal)),
      ),
    list: (prefix, options) =>
      run({ operation: 'list', key: prefix, conditional: false }, options?.signal, (signal) =>
        store.list(prefix, withSignal(options, signal)),
      ),
    beginUpload: async (key, options) => {
      const call = { operation: 'upload', key, conditional: false } as const;
      const upload = await run(call, options?.signal, (signal) => store.beginUpload(key, withSignal(options, signal)));
      return {
        add: (number, body, addOptions) => {
          const copy = body.map((part) => part.slice());
          return run(call, addOptions?.signal, (signal) => upload.add(number, copy, withSignal(addOptions, signal)));
        },
        complete: (endOptions) =>
          run(call, endOptions?.signal, (signal) => upload.complete(withSignal(endOptions, signal))),
        abort: (endOptions) => run(call, endOptions?.signal, (signal) => upload.abort(withSignal(endOptions, signal))),
      };
    },
    endUploads: (prefix, options) =>
      run({ operation: 'upload', key: prefix, conditional: false }, options.signal, (signal) =>
        store.endUploads(prefix, withSignal(options, signal)),
      ),
  };
  return faulty;
}

/**
 * A plan that draws from a seed: with probability `rate` a call gets one of the faults that fit it. Conditional
 * puts may also get 409 and, done, 412; only writes land late.
 */
export function seededFaults({
  random,
  rate,
  maxDelayMs,
}: {
  random: Random;
  /** From 0 to 1. */
  rate: number;
  maxDelayMs: number;
}): FaultPlan {
  const pick = <T>(choices: readonly T[]): T => choices[random.u32() % choices.length] as T;
  const delayMs = () => 1 + Math.floor(fraction(random) * maxDelayMs);
  return ({ operation, conditional }) => {
    if (fraction(random) >= rate) return undefined;
    const lost: FaultAnswer[] = ['500', '503', 'reset', 'timeout'];
    const writes = operation === 'put' || operation === 'delete';
    const guarded = operation === 'put' && conditional;
    switch (pick(writes ? ['refused', 'done', 'late', 'slow'] : ['refused', 'slow'])) {
      case 'refused':
        return { kind: 'refused', answer: pick(guarded ? [...lost, '429', '409'] : [...lost, '429']) };
      case 'done':
        return { kind: 'done', answer: pick(guarded ? [...lost, '412'] : lost) };
      case 'late':
        return { kind: 'late', delayMs: delayMs() };
      default:
        return { kind: 'slow', delayMs: delayMs() };
    }
  };
}

function faultError(answer: FaultAnswer, key: string): VivaceError {
  switch (answer) {
    case '409':
      return new VivaceError('conflict', 'conditional-conflict', `another write of the object is under way: ${key}`);
    case '412':
      return preconditionFailed(key);
    case '429':
      return new VivaceError('limited', 'store-slow-down', `the store asks for fewer requests, at ${key}`, {
        retryAfterMs: 1,
      });
    case '500':
    case '503':
      return new VivaceError('unavailable', 'store-failed', `the store failed (${answer}), at ${key}`);
    case 'reset':
      return new VivaceError('unavailable', 'store-unreachable', `the store did not answer (ECONNRESET), at ${key}`);
    case 'timeout':
      return new VivaceError('unavailable', 'store-timeout', `the store did not answer in time, at ${key}`);
  }
}

function withSignal<T extends { signal?: AbortSignal }>(
  options: T | undefined,
  signal: AbortSignal | undefined,
): Omit<T, 'signal'> & { signal?: AbortSignal } {
  const { signal: _, ...rest } = options ?? ({} as T);
  return signal ? { ...rest, signal } : rest;
}
