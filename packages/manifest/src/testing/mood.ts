import type { FaultRates } from './simulated-bucket.ts';
import type { World } from './world.ts';

/** What happens to a process of the simulation. */
type Stimulus =
  | 'push'
  | 'query'
  | 'cut'
  | 'compact'
  | 'expire'
  | 'adopt'
  | 'sweep'
  | 'stall'
  | 'stall-inside'
  | 'hand-over'
  | 'replace';

const WEIGHTS: Record<Stimulus, number> = {
  push: 40,
  query: 10,
  cut: 16,
  compact: 8,
  expire: 4,
  adopt: 8,
  sweep: 5,
  stall: 4,
  'stall-inside': 3,
  'hand-over': 2,
  replace: 6,
};
const FAULTS: FaultRates = { refused: 0.06, doneButFailed: 0.04, late: 0.03, slow: 0.1 };

/** What one seed makes happen often. */
export interface Mood {
  faults: FaultRates;
  pick(): Stimulus;
}

/**
 * Each seed has its own weights: a run that sweeps all the time, or where every third answer is late, reaches
 * states that an even mixture all but never does (swarm testing, Groce et al., 2012).
 */
export function createMood(world: World): Mood {
  const scaled = (weight: number) => weight * (world.pick([0.2, 1, 1, 4]) as number);
  const stimuli = Object.keys(WEIGHTS) as Stimulus[];
  const weights = stimuli.map((stimulus) =>
    stimulus === 'push' || stimulus === 'cut' ? WEIGHTS[stimulus] : scaled(WEIGHTS[stimulus]),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    faults: {
      refused: scaled(FAULTS.refused),
      doneButFailed: scaled(FAULTS.doneButFailed),
      late: scaled(FAULTS.late),
      slow: scaled(FAULTS.slow),
    },
    pick: () => {
      let left = (world.random.u32() / 2 ** 32) * total;
      for (let i = 0; i < stimuli.length; i++) {
        left -= weights[i] as number;
        if (left < 0) return stimuli[i] as Stimulus;
      }
      return 'push';
    },
  };
}
