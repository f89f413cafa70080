import type { Clock } from '@vivace/kernel';

/** A clock that stands still but for `advance`, and for sleeps, which take their time at once. */
export function createTestClock(startMs = 1_790_000_000_000): Clock & { advance(ms: number): void } {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs - startMs,
    sleep: async (ms, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      nowMs += ms;
    },
    after: () => () => undefined,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}
