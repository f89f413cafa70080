import { concatBytes, crc32, VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import type { SimulatedProcess, World } from './world.ts';

export interface SimulatedObject {
  bytes: Uint8Array;
  etag: string;
  lastModifiedMs: number;
}

/** How often each thing goes wrong, as parts of 1. */
export interface FaultRates {
  /** 429, 5xx, and for conditional puts 409: refused, nothing happened. */
  refused: number;
  /** It happened, and the answer was lost. */
  doneButFailed: number;
  /** It timed out, and happens some time later: mostly soon, at times after days. */
  late: number;
  /** The answer takes long. */
  slow: number;
}

export const NO_FAULTS: FaultRates = { refused: 0, doneButFailed: 0, late: 0, slow: 0 };

const TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;

/**
 * A bucket on the network of a World: each call is a request that arrives at some time and an answer that arrives
 * at another. A request goes on when its process stalls, dies or gives up.
 */
export class SimulatedBucket {
  readonly objects = new Map<string, SimulatedObject>();
  readonly #world: World;
  faults: FaultRates = NO_FAULTS;

  constructor(world: World) {
    this.#world = world;
  }

  /** Keys with a prefix, in order. */
  keys(prefix: string): string[] {
    const keys: string[] = [];
    for (const key of this.objects.keys()) if (key.startsWith(prefix)) keys.push(key);
    return keys.sort();
  }

  /** The bucket as a process has it. */
  storeOf(process: SimulatedProcess): ObjectStore {
    const call = <T>(apply: () => T, options: { signal?: AbortSignal; changes?: boolean; only?: unknown }) =>
      this.#call(process, apply, options);
    return {
      get: (key, { range, ifNoneMatch, signal } = {}) =>
        call(
          () => {
            const { bytes, etag, lastModifiedMs } = this.#object(key);
            const notModified = ifNoneMatch === etag;
            const part = range ? bytes.slice(range.offset, range.offset + range.length) : bytes.slice();
            return {
              key,
              etag,
              lastModifiedMs,
              storeTimeMs: this.#world.nowMs,
              size: notModified ? 0 : bytes.length,
              bytes: notModified ? new Uint8Array(0) : part,
              notModified,
            };
          },
          { ...(signal && { signal }) },
        ),
      put: (key, body, { only, signal } = {}) => {
        const bytes = concatBytes(body);
        const put = () => {
          const present = this.objects.get(key);
          const holds = only === undefined || (only === 'absent' ? !present : present?.etag === only.etag);
          if (!holds) throw new VivaceError('conflict', 'precondition-failed', `412: ${key}`);
          // Roots end with the CRC of the rest: with it, the CRC of all of the same length would be the same.
          const etag = `${crc32(bytes.subarray(0, -4))}-${crc32(bytes.subarray(-4))}-${bytes.length}`;
          // Whole seconds, as HTTP has them.
          const lastModifiedMs = Math.floor(this.#world.nowMs / 1000) * 1000;
          this.objects.set(key, { bytes, etag, lastModifiedMs });
          return { etag, storeTimeMs: this.#world.nowMs };
        };
        return call(put, { changes: true, only, ...(signal && { signal }) });
      },
      delete: (key, { signal } = {}) =>
        call(
          () => {
            this.objects.delete(key);
          },
          { changes: true, ...(signal && { signal }) },
        ),
      head: (key, { signal } = {}) =>
        call(
          () => {
            const { bytes, etag, lastModifiedMs } = this.#object(key);
            return { key, size: bytes.length, etag, lastModifiedMs, storeTimeMs: this.#world.nowMs };
          },
          { ...(signal && { signal }) },
        ),
      list: (prefix, { after = '', limit = 1000, signal } = {}) =>
        call(
          () => {
            const keys = this.keys(prefix).filter((key) => key > after);
            const objects = keys.slice(0, limit).map((key) => {
              const { bytes, etag, lastModifiedMs } = this.#object(key);
              return { key, size: bytes.length, etag, lastModifiedMs };
            });
            const next = keys.length > limit ? objects.at(-1)?.key : undefined;
            return { objects, next, storeTimeMs: this.#world.nowMs };
          },
          { ...(signal && { signal }) },
        ),
      // Blocks of the simulation are small.
      beginUpload: () => Promise.reject(new VivaceError('internal', 'no-uploads', 'the simulation has no uploads')),
      endUploads: async () => 0,
    };
  }

  #object(key: string): SimulatedObject {
    const object = this.objects.get(key);
    if (!object) throw new VivaceError('not-found', 'object-not-found', `404: ${key}`);
    return object;
  }

  #call<T>(
    process: SimulatedProcess,
    apply: () => T,
    { signal, changes = false, only }: { signal?: AbortSignal; changes?: boolean; only?: unknown },
  ): Promise<T> {
    const world = this.#world;
    const { refused, doneButFailed, late, slow } = this.faults;
    return new Promise((resolve, reject) => {
      let waiting = true;
      let onAbort: (() => void) | undefined;
      const answer = (delayMs: number, settle: () => void) => {
        world.after(delayMs, process, () => {
          if (!waiting) return;
          waiting = false;
          if (onAbort) signal?.removeEventListener('abort', onAbort);
          settle();
        });
      };
      if (signal) {
        onAbort = () => {
          waiting = false;
          reject(new VivaceError('canceled', 'canceled', 'the request was canceled'));
        };
        if (signal.aborted) {
          onAbort();
          return;
        }
        signal.addEventListener('abort', onAbort, { once: true });
      }
      const arrive = (delayMs: number, answerDelayMs: number, fails: boolean) => {
        world.after(delayMs, undefined, () => {
          try {
            const result = apply();
            answer(answerDelayMs, () =>
              fails ? reject(new VivaceError('unavailable', 'store-error', '500')) : resolve(result),
            );
          } catch (error) {
            answer(answerDelayMs, () => reject(fails ? new VivaceError('unavailable', 'store-error', '500') : error));
          }
        });
      };
      const fate = world.random.u32() / 2 ** 32;
      const answerDelayMs = world.chance(slow) ? world.below(9000) : world.below(20);
      if (fate < refused) answer(answerDelayMs, () => reject(refusal(world, only !== undefined)));
      else if (fate < refused + doneButFailed) arrive(world.below(20), answerDelayMs, true);
      else if (fate < refused + doneButFailed + late) {
        answer(TIMEOUT_MS, () => reject(new VivaceError('unavailable', 'store-timeout', 'timeout')));
        if (changes) {
          const longMs = world.chance(0.2) ? 4 * DAY_MS : 60_000;
          world.after(world.below(longMs), undefined, () => {
            try {
              apply();
            } catch {
              // Nobody listens any more.
            }
          });
        }
      } else arrive(world.below(20), answerDelayMs, false);
    });
  }
}

function refusal(world: World, conditional: boolean): VivaceError {
  const kind = world.below(conditional ? 3 : 2);
  if (kind === 0) return new VivaceError('limited', 'store-slow-down', '429', { retryAfterMs: 100 });
  if (kind === 1) return new VivaceError('unavailable', 'store-error', '503');
  return new VivaceError('conflict', 'conditional-conflict', '409');
}
