import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';

/**
 * Decides from a seed in which order waiting things go on. Everything that waits in a simulation waits here:
 * in `pause` (handed to a simulated disk or store) or on `clock`. Time moves only when nothing is parked, or
 * by the seed's choice.
 */
export interface Scheduler {
  readonly clock: Clock;
  /** Things parked in `pause`. */
  readonly parked: number;
  /** Parks the caller until the scheduler picks it. */
  pause(): Promise<void>;
  /** Lets one parked caller go on or moves time to the next timer; false when there is neither. */
  step(): Promise<boolean>;
  /** Steps until `done` says so or nothing is left to do; throws after `maxSteps`. */
  run(done: () => boolean, maxSteps?: number): Promise<void>;
}

interface Timer {
  atMs: number;
  fire: () => void;
}

/** `startMs` is the wall clock at the beginning; the monotonic clock starts at 0. */
export function createScheduler(random: Random, { startMs = 1_700_000_000_000 } = {}): Scheduler {
  const parked: (() => void)[] = [];
  const timers: Timer[] = [];
  let nowMs = 0;

  const addTimer = (ms: number, fire: () => void): (() => void) => {
    const timer = { atMs: nowMs + Math.max(0, ms), fire };
    timers.push(timer);
    return () => {
      const at = timers.indexOf(timer);
      if (at >= 0) timers.splice(at, 1);
    };
  };

  const clock: Clock = {
    nowMs: () => startMs + nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const onAbort = () => {
          cancel();
          reject(signal?.reason as Error);
        };
        const cancel = addTimer(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    after: addTimer,
  };

  const fireNext = () => {
    let next = 0;
    for (let i = 1; i < timers.length; i++) {
      if ((timers[i] as Timer).atMs < (timers[next] as Timer).atMs) next = i;
    }
    const [timer] = timers.splice(next, 1);
    nowMs = Math.max(nowMs, (timer as Timer).atMs);
    (timer as Timer).fire();
  };

  const step = async (): Promise<boolean> => {
    await settled();
    if (timers.length > 0 && (parked.length === 0 || random.u32() % 16 === 0)) fireNext();
    else if (parked.length > 0) parked.splice(random.u32() % parked.length, 1)[0]?.();
    else return false;
    await settled();
    return true;
  };

  return {
    clock,
    get parked() {
      return parked.length;
    },
    pause: () => new Promise((resolve) => parked.push(resolve)),
    step,
    run: async (done, maxSteps = 1_000_000) => {
      for (let steps = 0; !done(); steps++) {
        if (steps >= maxSteps) throw new Error(`the simulation did not end in ${maxSteps} steps`);
        if (!(await step())) return;
      }
    },
  };
}

/** Lets every promise that can go on do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
