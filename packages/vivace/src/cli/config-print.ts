import { configTree, renderConfig } from '@vivace/config';
import type { CommandRun } from './command.ts';

/** `vivace config print`: as `/status/config` shows them, without what is secret. */
export const run: CommandRun = async ({ config, output }) => {
  const settings = config();
  output.value(configTree(settings));
  if (!output.json) output.raw(renderConfig(settings));
  return 0;
};
