import type { Clock, Random } from '@vivace/kernel';
import type { StoredDataset } from './dataset-file.ts';
import type { BenchOptions } from './options.ts';
import type { Progress } from './progress.ts';

/** What every part of a run works with. */
export interface RunContext {
  options: BenchOptions;
  dataset: StoredDataset;
  /** An empty directory for this run's server. */
  workDir: string;
  clock: Clock;
  random: Random;
  progress: Progress;
  signal: AbortSignal;
}
