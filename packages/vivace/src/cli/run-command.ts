import { readFileSync } from 'node:fs';
import { configFlags, loadConfig, nearest } from '@vivace/config';
import { systemErrorCode, VivaceError } from '@vivace/kernel';
import { parseWords } from '../flags.ts';
import { explainStartFailure } from '../start-failure.ts';
import type { Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import type { Command, CommandFlag } from './command.ts';
import { renderCommandHelp, renderOverview } from './command-help.ts';
import { COMMANDS } from './commands.ts';
import { createOutput } from './output.ts';
import { createProgress } from './progress.ts';

/** Flags that every command has. */
const COMMON_FLAGS: readonly CommandFlag[] = [
  { name: 'json', about: 'the result as JSON' },
  { name: 'help', short: 'h', about: 'print this' },
];

const CONFIG_FLAG: CommandFlag = {
  name: 'config',
  placeholder: 'FILE',
  about: 'settings as YAML, as the server has them',
};

const HELP = ['--help', '-h', 'help'];

export interface RunCommandOptions extends Surroundings {
  signal: AbortSignal;
  commands?: readonly Command[];
}

/**
 * Runs one command. Gives the exit code: 0, 1 for a failure and for what a command found to be wrong, 2 for a wrong
 * command line. An abort of the signal is the caller's: the code is 1 then.
 */
export async function runCommand(options: RunCommandOptions): Promise<number> {
  const { argv, env, stdout, stderr, clock, random, signal, commands = COMMANDS } = options;
  try {
    if (argv.length === 0 || HELP.includes(argv[0] as string)) {
      stdout.write(renderOverview(commands));
      return 0;
    }
    if (argv.length === 2 && HELP.includes(argv[1] as string) && groupOf(argv[0], commands).length > 0) {
      stdout.write(renderOverview(groupOf(argv[0], commands)));
      return 0;
    }
    if (argv[0] === '--version' || argv[0] === '-v') {
      stdout.write(`${VERSION}\n`);
      return 0;
    }
    const { command, rest } = findCommand(argv, commands);
    const { flags, words } = parseWords(rest, flagsOf(command));
    if (flags.has('help')) {
      stdout.write(renderCommandHelp(command, flagsOf(command)));
      return 0;
    }
    checkWords(command, words);
    const run = await command.load();
    return await run({
      words,
      flags,
      config: (file = flags.get('config')) =>
        loadConfig({ ...(file !== undefined && { file: readConfig(file) }), env, flags }),
      output: createOutput(stdout, stderr, flags.has('json')),
      progress: createProgress(stderr, clock),
      clock,
      random,
      signal,
    });
  } catch (error) {
    if (signal.aborted) return 1;
    const failure = explainStartFailure(error, { verbose: env.VIVACE_SERVER_LOG_LEVEL === 'debug' });
    stderr.write(failure.text);
    return failure.exitCode;
  }
}

/** All flags of a command, in the order of its help. */
export function flagsOf(command: Command): CommandFlag[] {
  const settings = configFlags.filter(
    ({ name }) => command.settings === 'all' || (command.settings === 'storage' && name === 'data-dir'),
  );
  return [...command.flags, ...(command.settings === 'none' ? [] : [CONFIG_FLAG]), ...settings, ...COMMON_FLAGS];
}

function findCommand(argv: readonly string[], commands: readonly Command[]): { command: Command; rest: string[] } {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ');
    const command = commands.find((candidate) => candidate.name === name);
    if (command !== undefined) return { command, rest: argv.slice(length) };
  }
  const [first = '', second = ''] = argv;
  if (first.startsWith('-')) throw usage(`the command comes before its flags: see vivace --help, not ${first}`);
  const group = groupOf(first, commands).map(({ name }) => name);
  if (group.length > 0) {
    if (second === '' || second.startsWith('-')) throw usage(`something is missing: write ${group.join(' or ')}`);
    throw usage(unknown(`${first} ${second}`, nearest(`${first} ${second}`, group)));
  }
  throw usage(unknown(first, nearest(first, new Set(commands.map(({ name }) => name.split(' ')[0] as string)))));
}

function groupOf(first: string | undefined, commands: readonly Command[]): Command[] {
  return commands.filter(({ name }) => name.startsWith(`${first} `));
}

function unknown(given: string, guess: string | undefined): string {
  return `unknown command '${given}': ${guess === undefined ? 'see vivace --help' : `did you mean ${guess}?`}`;
}

function checkWords({ name, words: wanted, minWords, maxWords }: Command, words: readonly string[]): void {
  if (words.length < minWords) throw usage(`something is missing: vivace ${name} ${wanted}`);
  const extra = words[maxWords];
  if (extra === undefined) return;
  const remedy =
    maxWords === 0 ? 'only flags are understood' : `write vivace ${name} ${wanted}, in quotes where it has blanks`;
  throw usage(`unexpected argument '${extra}': ${remedy}`);
}

function readConfig(name: string): { name: string; text: string } {
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unknown';
    throw new VivaceError(
      'invalid',
      'config',
      `the configuration file ${name} cannot be read (${code}): check its path`,
      {
        cause: error,
      },
    );
  }
}

function usage(message: string): VivaceError {
  return new VivaceError('invalid', 'usage', message);
}
