import path from 'node:path';
import type { Member, SourceFile } from './source-tree.ts';

/** A place in the source that makes a VivaceError. */
export interface ErrorSite {
  file: string;
  kind: string;
  code: string;
  /** What it says, values as `…`; undefined where that is put together elsewhere. */
  message: string | undefined;
}

/** What a scan of the source found, and the places whose code it could not tell. */
export interface ErrorSites {
  sites: ErrorSite[];
  unclear: string[];
}

/** Every place in what a package runs, tests and their helpers left out. */
export function errorSitesOf(member: Member): ErrorSites {
  const found = shippedFiles(member).map((file) => errorSitesIn(file));
  return { sites: found.flatMap(({ sites }) => sites), unclear: found.flatMap(({ unclear }) => unclear) };
}

/**
 * Finds `new VivaceError(kind, code, message)` and `dataError(code, message)`; where kind or code is a parameter
 * of the function around it, the calls of that function; and rows of tables that begin with a kind and a code.
 */
export function errorSitesIn({ path: file, text }: SourceFile): ErrorSites {
  const sites: ErrorSite[] = [];
  const unclear: string[] = [];
  const add = (kinds: string[], codes: string[], message: string | undefined) => {
    for (const kind of kinds) for (const code of codes) sites.push({ file, kind, code, message });
  };
  for (const { at, parts } of callsOf(text, /new VivaceError\(|(?<![\w.]|function )dataError\(/g)) {
    const [kind, code, message] = text.startsWith('data', at) ? ["'data'", ...parts] : parts;
    if (kind === undefined || code === undefined) continue;
    const kinds = literals(kind);
    const codes = literals(constantIn(text, code) ?? code);
    if (kinds.length > 0 && codes.length > 0) {
      add(kinds, codes, messageOf(message));
      continue;
    }
    const around = functionAround(text, at);
    const indexes = [kind, code, message ?? ''].map((part) => around?.parameters.indexOf(part) ?? -1);
    const calls = around === undefined ? [] : callsOf(text, new RegExp(`(?<!function )\\b${around.name}\\(`, 'g'));
    const before = sites.length;
    for (const call of calls) {
      const given = (i: number, own: string | undefined) => {
        const index = indexes[i] as number;
        return index < 0 ? own : call.parts[index];
      };
      add(literals(given(0, kind) ?? ''), literals(given(1, code) ?? ''), messageOf(given(2, message)));
    }
    // A row of a table, or another error said again.
    const elsewhere = /^\w+(\[1\]|\.code)$/.test(code);
    if (sites.length === before && !elsewhere) unclear.push(`${file}: ${kind}, ${code}`);
  }
  for (const row of text.matchAll(/\[\s*'([a-z-]+)',\s*'([a-z-]+)',\s*'([^'\n]+)',?\s*\]/g)) {
    if (KINDS.has(row[1] as string)) add([row[1] as string], [row[2] as string], row[3]);
  }
  return { sites, unclear };
}

const KINDS = new Set(
  'invalid unauthorized not-found conflict limited unavailable deadline canceled data internal'.split(' '),
);

/** What `index.ts`, programs and threads of a package import, directly or not. */
function shippedFiles(member: Member): SourceFile[] {
  const byPath = new Map(member.files.map((file) => [file.path, file]));
  const entries = member.files.filter((file) => /\/src\/(index|main|demo|[\w-]+-worker)\.ts$/.test(file.path));
  const reached = new Set<SourceFile>();
  const visit = (file: SourceFile | undefined): void => {
    if (file === undefined || reached.has(file)) return;
    reached.add(file);
    for (const name of file.imports) {
      if (name.startsWith('.')) visit(byPath.get(path.posix.join(path.posix.dirname(file.path), name)));
    }
  };
  for (const entry of entries) visit(entry);
  return member.files.filter((file) => reached.has(file));
}

/** Calls that a pattern ending in `(` begins, with the text of their arguments. */
function callsOf(text: string, pattern: RegExp): { at: number; parts: string[] }[] {
  return [...text.matchAll(pattern)]
    .filter((match) => !/^\s*(\/\/|\*)/.test(text.slice(text.lastIndexOf('\n', match.index) + 1, match.index)))
    .map((match) => ({ at: match.index, parts: argumentsFrom(text, match.index + match[0].length) }));
}

/** The arguments that begin at `from`, right behind the opening parenthesis. */
function argumentsFrom(text: string, from: number): string[] {
  const parts: string[] = [];
  let start = from;
  let depth = 0;
  const end = (at: number) => {
    const part = text.slice(start, at).trim();
    if (part !== '') parts.push(part);
    start = at + 1;
  };
  for (let at = from; at < text.length; at++) {
    const letter = text[at] as string;
    if (letter === "'" || letter === '"' || letter === '`') at = endOfText(text, at);
    else if ('([{'.includes(letter)) depth++;
    else if (')]}'.includes(letter)) {
      if (depth-- > 0) continue;
      end(at);
      break;
    } else if (letter === ',' && depth === 0) end(at);
  }
  return parts;
}

/** Where the string or template that begins at `from` ends. */
function endOfText(text: string, from: number): number {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
    else if (quote === '`' && text.startsWith('${', at)) at = endOfHole(text, at + 2);
  }
  return text.length;
}

/** Where the `}` of a template's hole is. */
function endOfHole(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const letter = text[at] as string;
    if (letter === "'" || letter === '"' || letter === '`') at = endOfText(text, at);
    else if (letter === '{') depth++;
    else if (letter === '}' && depth-- === 0) return at;
  }
  return text.length;
}

/** The kebab-case strings of an expression that is one, or a choice between some. */
function literals(part: string): string[] {
  const choice = /^(?:[^'"`]*\? )?('[a-z-]+'(?: : '[a-z-]+')*)$/.exec(part);
  return [...(choice?.[1] ?? '').matchAll(/'([a-z-]+)'/g)].map((match) => match[1] as string);
}

/** What a name stands for that the file gives a constant value. */
function constantIn(text: string, name: string): string | undefined {
  return /^\w+$/.test(name) ? new RegExp(`\\bconst ${name} = ([^;]+);`).exec(text)?.[1] : undefined;
}

function messageOf(part: string | undefined): string | undefined {
  if (part === undefined || !/^['"`]/.test(part)) return undefined;
  let said = '';
  for (let at = 0; at < part.length; at++) {
    if (!/['"`]/.test(part[at] as string)) continue;
    const end = endOfText(part, at);
    for (let i = at + 1; i < end; i++) {
      if (part[at] === '`' && part.startsWith('${', i)) {
        i = endOfHole(part, i + 2);
        said += '…';
      } else if (part[i] === '\\') said += part[++i] === 'n' ? '; ' : part[i];
      else said += part[i];
    }
    at = end;
  }
  return said;
}

/** The function declared last before a place. */
function functionAround(text: string, at: number): { name: string; parameters: string[] } | undefined {
  const declared = [...text.slice(0, at).matchAll(/(?:function (\w+)(?:<[^>]*>)?|const (\w+) = )\(/g)].at(-1);
  if (declared === undefined) return undefined;
  const parameters = argumentsFrom(text, declared.index + declared[0].length);
  return {
    name: (declared[1] ?? declared[2]) as string,
    parameters: parameters.map((parameter) => /^\w+/.exec(parameter)?.[0] ?? ''),
  };
}
