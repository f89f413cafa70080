import { type Environment, nearest } from '@vivace/config';
import { VivaceError } from '@vivace/kernel';

export interface Flag {
  /** Without hyphens. */
  name: string;
  /** What follows it; absent for a flag without a value. */
  placeholder?: string;
  short?: string;
}

/** Where a command line was typed. */
export interface TypedAt {
  env: Environment;
  /** The npm script that the user runs: npm keeps flags for itself that do not come after `--`, and only hands on their values. */
  script: string;
}

/**
 * Reads `--name value`, `--name=value` and flags without a value (which map to empty text); the last of two
 * wins. Throws `invalid` with code `usage`, naming the nearest known flag.
 */
export function parseFlags(argv: readonly string[], known: readonly Flag[], typed: TypedAt): Map<string, string> {
  refuseSwallowedFlags(argv, known, typed.env, typed.script);
  const { flags, words } = parseWords(argv, known);
  const [word] = words;
  if (word !== undefined) throw usage(explainWord(word, known, typed));
  return flags;
}

/** The same for a command line that has words beside its flags; after `--` everything is a word. */
export function parseWords(
  argv: readonly string[],
  known: readonly Flag[],
): { flags: Map<string, string>; words: string[] } {
  const flags = new Map<string, string>();
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] as string;
    if (argument === '--') {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument);
      continue;
    }
    const [given, inline] = split(argument);
    const flag = known.find(
      ({ name, short }) => given === `--${name}` || (short !== undefined && given === `-${short}`),
    );
    if (flag === undefined) throw usage(explainUnknown(given, known));
    if (flag.placeholder === undefined) {
      if (inline !== undefined) throw usage(`--${flag.name} takes no value`);
      flags.set(flag.name, '');
      continue;
    }
    const value = inline ?? argv[++i];
    if (value === undefined || (inline === undefined && value.startsWith('--'))) {
      throw usage(`--${flag.name} needs a value: --${flag.name} ${flag.placeholder}`);
    }
    flags.set(flag.name, value);
  }
  return { flags, words };
}

function split(argument: string): [string, string | undefined] {
  const equals = argument.indexOf('=');
  return argument.startsWith('-') && equals > 0
    ? [argument.slice(0, equals), argument.slice(equals + 1)]
    : [argument, undefined];
}

function explainWord(word: string, known: readonly Flag[], { env, script }: TypedAt): string {
  const remedy = isNpmScript(env)
    ? `flags go after --, as in npm ${script} -- --${known[0]?.name} ${known[0]?.placeholder ?? ''}`.trimEnd()
    : 'only flags are understood, see --help';
  return `unexpected argument '${word}': ${remedy}`;
}

function explainUnknown(given: string, known: readonly Flag[]): string {
  const guess = nearest(
    given.replace(/^-+/, ''),
    known.map(({ name }) => name),
  );
  return `unknown flag ${given}: ${guess === undefined ? 'see --help' : `did you mean --${guess}?`}`;
}

/** `npm start --http-port 1` runs us with the argument `1` and `npm_config_http_port=true`. */
function refuseSwallowedFlags(argv: readonly string[], known: readonly Flag[], env: Environment, script: string): void {
  if (!isNpmScript(env)) return;
  const values = argv.filter((argument) => !argument.startsWith('-'));
  const swallowed = known.flatMap(({ name, placeholder }) => {
    const given = env[`npm_config_${name.replaceAll('-', '_')}`];
    // The same variables carry what a .npmrc says; `target` is one that people have there, with a version.
    if (placeholder === undefined || given === undefined || /^v?\d+\.\d/.test(given)) return [];
    return [`--${name} ${given === 'true' ? (values.shift() ?? placeholder) : given}`];
  });
  if (swallowed.length === 0) return;
  const names = swallowed.map((flag) => flag.split(' ')[0]).join(' and ');
  throw usage(`npm kept ${names} for itself: put -- before the flags, npm ${script} -- ${swallowed.join(' ')}`);
}

function isNpmScript(env: Environment): boolean {
  return env.npm_lifecycle_event !== undefined && env.npm_command !== undefined;
}

function usage(message: string): VivaceError {
  return new VivaceError('invalid', 'usage', message);
}
