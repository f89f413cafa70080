import { z } from 'zod';
import { configSchema } from './schema.ts';
import { type SettingInfo, settingInfo } from './setting.ts';

/** One setting and where it is. */
export interface Key extends SettingInfo {
  /** `server.http_listen_port` */
  path: string;
  /** `VIVACE_SERVER_HTTP_LISTEN_PORT` */
  variable: string;
}

/** Every setting by its path, in the order of the schema. */
export const keys: ReadonlyMap<string, Key> = new Map(collect(configSchema, []).map((key) => [key.path, key]));

/** The paths of all groups of settings; the file itself is the empty path. */
export const sections: ReadonlySet<string> = new Set(
  [...keys.keys()].flatMap((path) => path.split('.').map((_, depth, parts) => parts.slice(0, depth).join('.'))),
);

/** The names that may stand directly in a section. */
export function namesIn(section: string): string[] {
  const prefix = section === '' ? '' : `${section}.`;
  const below = [...keys.keys()].filter((path) => path.startsWith(prefix));
  return [...new Set(below.map((path) => path.slice(prefix.length).split('.')[0] as string))];
}

function collect(schema: z.core.$ZodType, path: string[]): Key[] {
  const info = settingInfo.get(schema);
  if (info) {
    return [{ ...info, path: path.join('.'), variable: `VIVACE_${path.join('_').toUpperCase()}` }];
  }
  const inner = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
  if (!(inner instanceof z.ZodObject)) throw new TypeError(`a setting without words: ${path.join('.')}`);
  return Object.entries(inner.shape).flatMap(([name, child]) => collect(child as z.core.$ZodType, [...path, name]));
}
