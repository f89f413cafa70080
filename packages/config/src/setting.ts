import { z } from 'zod';
import { parseEndpoint } from './endpoint.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

/** What the documents, the help and the messages say about one setting. */
export interface SettingInfo {
  /** What may be written, for people: `duration`, `size`, `true or false` … */
  type: string;
  /** The default as it would be written in the file; empty text is "not set". */
  default: string;
  /** What it is, one sentence. */
  about: string;
  /** Why the default is what it is. */
  why: string;
  /** A value as the file would have it. */
  format: (value: unknown) => string | number | boolean | string[];
}

/** The documentation of every setting, by its schema. */
export const settingInfo: z.core.$ZodRegistry<SettingInfo> = z.registry<SettingInfo>();

interface Words {
  about: string;
  why: string;
}

/** One kind of value: reads what YAML, an environment variable or a flag gives; undefined when it is not one. */
interface Kind<T> {
  type: string;
  parse: (value: unknown) => T | undefined;
  format: (value: T) => string | number | boolean | string[];
}

function setting<T extends string | number | boolean | string[]>(kind: Kind<T>, defaultText: unknown, words: Words) {
  const fallback = kind.parse(defaultText);
  if (fallback === undefined) throw new TypeError(`the default is no ${kind.type}: ${String(defaultText)}`);
  const value = z.unknown().transform((input, context): T => {
    const parsed = kind.parse(input);
    if (parsed !== undefined) return parsed;
    context.issues.push({ code: 'custom', input, message: `must be ${kind.type}` });
    return z.NEVER;
  });
  const format = (formatted: unknown) => kind.format(formatted as T);
  // zod returns a default as it is: the same list would be shared by every configuration.
  const schema = value.default(() => structuredClone(fallback) as never);
  return schema.register(settingInfo, { type: kind.type, default: String(kind.format(fallback)), format, ...words });
}

/** A group of settings. An unknown key is refused; a missing group has its defaults. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as never);
}

/** Bytes. `64MiB`, `128MB` or a number. */
export function size(defaultText: string, words: Words & { min?: number; max?: number }) {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, ...rest } = words;
  const parse = (value: unknown) => within(parseSize(textOf(value)), min, max);
  const range = min > 0 ? `, at least ${formatSize(min)}` : '';
  return setting({ type: `a size such as 64MiB${range}`, parse, format: formatSize }, defaultText, rest);
}

/** Bytes, or `auto`: what that stands for depends on other settings. */
export function sizeOrAuto(words: Words & { max: number }) {
  const { max, ...rest } = words;
  const parse = (value: unknown) =>
    textOf(value) === 'auto' ? ('auto' as const) : within(parseSize(textOf(value)), 0, max);
  const format = (value: number | 'auto') => (value === 'auto' ? value : formatSize(value));
  return setting<number | 'auto'>({ type: 'a size such as 64MiB, or `auto`', parse, format }, 'auto', rest);
}

/** Milliseconds. `5m`, `20ms`, `1h30m`. */
export function duration(defaultText: string, words: Words & { minMs?: number; maxMs?: number }) {
  const { minMs = 0, maxMs = 31 * 24 * 3_600_000, ...rest } = words;
  const parse = (value: unknown) => within(parseDuration(textOf(value)), minMs, maxMs);
  const type = `a duration such as 20ms or 5m, ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return setting({ type, parse, format: formatDuration }, defaultText, rest);
}

/** Milliseconds, or `auto`: what that stands for is found out while it runs. */
export function durationOrAuto(words: Words & { maxMs: number }) {
  const { maxMs, ...rest } = words;
  const parse = (value: unknown) =>
    textOf(value) === 'auto' ? ('auto' as const) : within(parseDuration(textOf(value)), 0, maxMs);
  const format = (value: number | 'auto') => (value === 'auto' ? value : formatDuration(value));
  return setting<number | 'auto'>({ type: 'a duration such as 500ms, or `auto`', parse, format }, 'auto', rest);
}

export function integer(fallback: number, words: Words & { min: number; max: number }) {
  const { min, max, ...rest } = words;
  const parse = (value: unknown) => {
    const text = textOf(value);
    return /^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined;
  };
  return setting(
    { type: `a whole number from ${min} to ${max}`, parse, format: (value: number) => value },
    fallback,
    rest,
  );
}

export function flag(fallback: boolean, words: Words) {
  const parse = (value: unknown) => {
    const text = textOf(value).toLowerCase();
    return text === 'true' ? true : text === 'false' ? false : undefined;
  };
  return setting<boolean>({ type: 'true or false', parse, format: (value) => value }, fallback, words);
}

export function choice<const T extends string>(values: readonly T[], fallback: T, words: Words) {
  const type = values.length === 1 ? `\`${values[0]}\`` : `one of \`${values.join('`, `')}\``;
  return setting<T>(
    { type, parse: (value) => values.find((known) => known === textOf(value)), format: (value) => value },
    fallback,
    words,
  );
}

/** Any text on one line; empty is "not set". */
export function text(fallback: string, words: Words & { type?: string; accept?: RegExp }) {
  const { type = 'text', accept = /^/, ...rest } = words;
  const parse = (value: unknown) => {
    const given = textOf(value);
    if (typeof value !== 'string' && given === '') return undefined;
    return !/[\0\r\n]/.test(given) && (given === '' || accept.test(given)) ? given : undefined;
  };
  return setting<string>({ type, parse, format: (value) => value }, fallback, rest);
}

/** `host:port`; read it with `parseEndpoint`. */
export function endpoint(fallback: string, words: Words) {
  const parse = (value: unknown) =>
    typeof value === 'string' && parseEndpoint(value) !== undefined ? value : undefined;
  return setting<string>(
    { type: 'host:port such as 127.0.0.1:4317', parse, format: (value) => value },
    fallback,
    words,
  );
}

/** A list; in an environment variable the parts are separated by commas. */
export function textList(words: Words & { type: string; accept: RegExp }) {
  const { type, accept, ...rest } = words;
  const parse = (value: unknown): string[] | undefined => {
    const parts = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
    if (!Array.isArray(parts)) return undefined;
    const list = parts.filter((part): part is string => typeof part === 'string' && part !== '');
    const whole = typeof value === 'string' || list.length === parts.length;
    return whole && list.length <= 1_000 && list.every((part) => accept.test(part)) ? list : undefined;
  };
  return setting<string[]>({ type, parse, format: (value) => value }, [], rest);
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && Number.isFinite(value) && value >= min && value <= max ? value : undefined;
}
