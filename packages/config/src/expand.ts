import { VivaceError } from '@vivace/kernel';

/** The environment, as `process.env` is. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replaces `${VAR}` and `${VAR:default}` in one value of the file. Done after YAML has been parsed, so that
 * what a variable holds can never become a key or another value. `$${` stands for `${`. A variable that is
 * not set and has no default is an error: an empty bucket name or path is never what was meant.
 */
export function expandVariables(text: string, env: Environment): string {
  return text.replaceAll(
    /\$(\$\{)|\$\{([^}:]*)(?::([^}]*))?\}/g,
    (whole, escaped: string | undefined, name: string | undefined, fallback: string | undefined) => {
      if (escaped !== undefined) return escaped;
      if (name === undefined || !/^\w+$/.test(name)) throw invalid(`'${whole}' names no variable`);
      const value = env[name];
      if (value !== undefined && value !== '') return value;
      // The shell's spelling, `${VAR:-default}`, is taken too: no value here begins with a hyphen.
      if (fallback !== undefined) return fallback.replace(/^-/, '');
      throw invalid(`the environment variable ${name} is not set: set it, or write \${${name}:default}`);
    },
  );
}

function invalid(message: string): VivaceError {
  return new VivaceError('invalid', 'config', message);
}
