import type { Environment } from '@vivace/config';
import { type Clock, type Random, systemClock, systemRandom } from '@vivace/kernel';
import type { LogStream } from '@vivace/telemetry';

/** What every program here needs of the world. */
export interface Surroundings {
  argv: readonly string[];
  env: Environment;
  stdout: LogStream;
  stderr: LogStream;
  clock: Clock;
  random: Random;
}

/** Those of this process. */
export function systemSurroundings(): Surroundings {
  return {
    argv: process.argv.slice(2),
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    clock: systemClock,
    random: systemRandom,
  };
}
