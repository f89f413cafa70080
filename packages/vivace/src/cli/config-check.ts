import type { CommandRun } from './command.ts';

/** `vivace config check [FILE]` */
export const run: CommandRun = async ({ words, config, output }) => {
  config(words[0]);
  output.line('the settings are right');
  output.value({ valid: true });
  return 0;
};
