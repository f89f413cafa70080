import { stringify } from 'yaml';
import { keys } from './keys.ts';
import type { Config } from './schema.ts';

const REDACTED = '<redacted>';

/**
 * The configuration in force as YAML that could be loaded again, for `/status/config`. No setting is a
 * secret (credentials come from the AWS SDK's own sources), but people write them into URLs: those go.
 */
export function renderConfig(config: Config): string {
  return stringify(configTree(config));
}

/** The same before it becomes text. */
export function configTree(config: Config): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const { path, format } of keys.values()) {
    const parts = path.split('.');
    const name = parts.pop() as string;
    let from: unknown = config;
    let to = tree;
    for (const part of parts) {
      from = (from as Record<string, unknown>)[part];
      to = (to[part] ??= {}) as Record<string, unknown>;
    }
    const value = format((from as Record<string, unknown>)[name]);
    to[name] = Array.isArray(value) ? value.map(textInFile) : typeof value === 'string' ? textInFile(value) : value;
  }
  return tree;
}

function textInFile(text: string): string {
  return redactUrl(text).replaceAll('${', () => '$${');
}

/** Takes user and password out of every URL in a text. */
export function redactUrl(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi, `$1${REDACTED}@`);
}
