import { VERSION } from '../version.ts';
import type { Command, CommandFlag } from './command.ts';

/** `vivace --help`. */
export function renderOverview(commands: readonly Command[]): string {
  const lines = commands.map((command) => `  ${usageOf(command).padEnd(34)}${command.about}`);
  return `Vivace ${VERSION}, a distributed-trace store on object storage

Usage: npx vivace COMMAND [flags]

${lines.join('\n')}

Results go to stdout, everything else to stderr. Exit codes: 0, 1 for a failure or
for damage that was found, 2 for a wrong command line. Each command: --help.
`;
}

/** `vivace COMMAND --help`; `flags` are all that it understands. */
export function renderCommandHelp(command: Command, flags: readonly CommandFlag[]): string {
  const { name, words, about, details } = command;
  const lines = flags.map((flag) => {
    const given = `--${flag.name}${flag.placeholder === undefined ? '' : ` ${flag.placeholder}`}`;
    return `  ${given.padEnd(26)}${flag.about}`;
  });
  const more = details === undefined ? '' : `\n${details}\n`;
  return `${about[0]?.toUpperCase()}${about.slice(1)}.\n${more}\nUsage: npx vivace ${`${name} ${words}`.trim()} [flags]\n\n${lines.join('\n')}\n`;
}

function usageOf({ name, words }: Command): string {
  return `${name} ${words}`.trim();
}
