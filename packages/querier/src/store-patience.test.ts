import { type Clock, systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { STORE_PATIENCE_MS, withPatience } from './store-patience.ts';

/** Time that passes only when it is told to. */
function stoppedClock(): Clock & { pass(): void } {
  const timers = new Set<() => void>();
  return {
    ...systemClock,
    after: (ms, callback) => {
      expect(ms).toBe(STORE_PATIENCE_MS);
      timers.add(callback);
      return () => void timers.delete(callback);
    },
    pass: () => {
      for (const timer of timers) timer();
    },
  };
}

const never = new Promise<never>(() => {});

test('a store that stalls is given up after a time, and told to stop', async () => {
  const clock = stoppedClock();
  let told: AbortSignal | undefined;
  const waiting = withPatience(clock, (signal) => {
    told = signal;
    return never;
  });
  clock.pass();
  await expect(waiting).rejects.toMatchObject({ kind: 'unavailable', code: 'store-timeout' });
  expect(told?.aborted).toBe(true);
});

test('an answer in time ends the waiting, and a client that goes away ends it with its own reason', async () => {
  const clock = stoppedClock();
  await expect(withPatience(clock, async () => 7)).resolves.toBe(7);
  clock.pass();
  const gone = new AbortController();
  const waiting = withPatience(clock, () => never, gone.signal);
  gone.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
});
