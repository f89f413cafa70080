import { VivaceError } from '@vivace/kernel';
import { checkTogether } from './check.ts';
import { readEnvironment } from './environment.ts';
import type { Environment } from './expand.ts';
import { readConfigFile } from './file.ts';
import { configFlags } from './flags.ts';
import { keys } from './keys.ts';
import type { RawValue } from './raw.ts';
import { type Config, configSchema } from './schema.ts';

export interface ConfigSources {
  /** The YAML file: its name, for messages, and its text. */
  file?: { name: string; text: string };
  env?: Environment;
  /** Values of flags by name without hyphens; see `configFlags`. */
  flags?: ReadonlyMap<string, string>;
}

/**
 * The configuration from defaults, file, environment and flags, the later ones winning. Throws `invalid`:
 * code `usage` for a flag, `config` for the rest; the message names the place and what to write instead.
 */
export function loadConfig({ file, env = {}, flags = new Map() }: ConfigSources): Config {
  const raw = new Map<string, RawValue>();
  const take = (values: readonly RawValue[]) => {
    for (const value of values) raw.set(value.path, value);
  };
  if (file) take(readConfigFile(file.name, file.text, env));
  take(readEnvironment(env));
  for (const flag of configFlags) {
    const value = flags.get(flag.name);
    if (value === undefined) continue;
    const current = (path: string) => {
      const given = raw.get(path)?.value;
      return typeof given === 'string' ? given : (keys.get(path)?.default ?? '');
    };
    take(flag.apply(value, current).map((setting) => ({ ...setting, where: `--${flag.name}` })));
  }
  const config = parse(raw);
  checkTogether(config);
  return config;
}

function parse(raw: ReadonlyMap<string, RawValue>): Config {
  const result = configSchema.safeParse(nest(raw));
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const source = raw.get(issue.path.join('.'));
    const given = source === undefined ? '' : `: ${shown(source.value)}`;
    const where = source?.where.startsWith('--')
      ? source.where
      : [source?.where, issue.path.join('.')].filter(Boolean).join(': ');
    return { message: `${where} ${issue.message.replaceAll('`', '')}${given}`, flag: source?.where.startsWith('--') };
  });
  const code = problems.every((problem) => problem.flag) ? 'usage' : 'config';
  throw new VivaceError('invalid', code, problems.map((problem) => problem.message).join('; '));
}

/** A wrong value as a message may show it: what looks like user and password before a host is left out. */
function shown(value: unknown): string {
  return JSON.stringify(value).replace(/[^"\s/]*:[^"\s/]*@/g, '<redacted>@');
}

/** The values as the tree that the schema describes. Paths are only known ones, never a client's. */
function nest(raw: ReadonlyMap<string, RawValue>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path, value } of raw.values()) {
    const parts = path.split('.');
    const name = parts.pop() as string;
    let at = root;
    for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>;
    at[name] = value;
  }
  return root;
}
