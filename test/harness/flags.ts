import { parseArgs } from 'node:util';
import { VivaceError } from '@vivace/kernel';

/** Flags by name, with what they are where they are not given; undefined: a text, or nothing. */
export type Defaults = Record<string, number | string | boolean | undefined>;

export type Flags<T extends Defaults> = {
  [K in keyof T]: T[K] extends number ? number : T[K] extends boolean ? boolean : string | Extract<T[K], undefined>;
};

/**
 * The flags of the command line. Throws `invalid` for one that is not there, or whose value is no number from 0 where its
 * default is one.
 */
export function parseFlags<T extends Defaults>(args: readonly string[], defaults: T): Flags<T> {
  const options: Record<string, { type: 'boolean' | 'string' }> = {};
  for (const [name, value] of Object.entries(defaults)) {
    options[name] = { type: typeof value === 'boolean' ? 'boolean' : 'string' };
  }
  let given: Record<string, unknown>;
  try {
    given = parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new VivaceError('invalid', 'usage', error instanceof Error ? error.message : String(error));
  }
  const flags: Defaults = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    flags[name] = typeof defaults[name] === 'number' ? number(name, value as string) : (value as string | boolean);
  }
  return flags as Flags<T>;
}

/** The flags of this process, which ends where it is asked for help, with 0, or given flags that are wrong, with 2. */
export function readFlags<T extends Defaults>(usage: string, defaults: T): Flags<T> {
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseFlags(args, defaults);
  } catch (error) {
    if (!(error instanceof VivaceError)) throw error;
    return refuse(error.message, usage);
  }
}

/** Ends the process with 2. */
export function refuse(message: string, usage: string): never {
  process.stderr.write(`${message}\n\n${usage}`);
  process.exit(2);
}

function number(name: string, value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed) || parsed < 0) {
    throw new VivaceError('invalid', 'usage', `--${name} must be a number from 0: ${value}`);
  }
  return parsed;
}
