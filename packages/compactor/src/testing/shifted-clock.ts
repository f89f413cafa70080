import { type Clock, systemClock } from '@vivace/kernel';

/** The system's clock, some time ahead: sleeps take as long as ever. */
export function createShiftedClock(): Clock & { advance(ms: number): void } {
  let shiftMs = 0;
  return {
    ...systemClock,
    nowMs: () => systemClock.nowMs() + shiftMs,
    monotonicMs: () => systemClock.monotonicMs() + shiftMs,
    advance: (ms) => {
      shiftMs += ms;
    },
  };
}
