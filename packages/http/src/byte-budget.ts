import { assert } from '@vivace/kernel';

/** Bytes of requests in memory at one time, over all receivers. */
export interface ByteBudget {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** False, and nothing taken, if that would be more than there is. */
  take(count: number): boolean;
  give(count: number): void;
}

export function createByteBudget(maxBytes: number): ByteBudget {
  let used = 0;
  return {
    maxBytes,
    get usedBytes() {
      return used;
    },
    take(count) {
      if (used + count > maxBytes) return false;
      used += count;
      return true;
    },
    give(count) {
      used -= count;
      assert(used >= 0, 'more bytes were given back than taken');
    },
  };
}
