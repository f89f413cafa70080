import type { Config } from '@vivace/config';
import type { Clock, Random } from '@vivace/kernel';
import type { Flag } from '../flags.ts';
import type { Output } from './output.ts';
import type { Progress } from './progress.ts';

export interface CommandFlag extends Flag {
  /** One line of the help. */
  about: string;
}

/** A command as the table has it: everything but its work, so that `--help` loads nothing. */
export interface Command {
  /** Words, such as `blocks verify`. */
  name: string;
  /** What follows it in the help, such as `ID` or `[FILE]`. */
  words: string;
  /** How many words it takes. */
  minWords: number;
  maxWords: number;
  /** One line, for the list of commands. */
  about: string;
  /** More, for its own help. */
  details?: string;
  flags: readonly CommandFlag[];
  /** Which flags of the server it understands beside `--config`. */
  settings: 'all' | 'storage' | 'none';
  load: () => Promise<CommandRun>;
}

/** What a command works with. */
export interface CommandCall {
  words: readonly string[];
  flags: ReadonlyMap<string, string>;
  /** The settings from defaults, `--config`, environment and flags. Throws `invalid`. */
  config: (file?: string) => Config;
  output: Output;
  progress: Progress;
  clock: Clock;
  random: Random;
  /** Aborted by Ctrl-C, and when nobody reads the output any more. */
  signal: AbortSignal;
}

/** Does the work; gives the exit code: 0, or 1 where it found something wrong. */
export type CommandRun = (call: CommandCall) => Promise<number>;
