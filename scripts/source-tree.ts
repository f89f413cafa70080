import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT: string = path.resolve(import.meta.dirname, '..');

export interface SourceFile {
  /** From the root, with slashes. */
  path: string;
  text: string;
  /** Every module it names in an import or export, types too. */
  imports: string[];
}

/** A package of the workspace. */
export interface Member {
  /** `packages/wal` */
  directory: string;
  /** `wal` */
  shortName: string;
  /** Names of what its manifest allows it to import. */
  dependencies: Set<string>;
  devDependencies: Set<string>;
  /** Paths below it that others may import, as the manifest has them: `.`, `./testing`. */
  exports: string[];
  files: SourceFile[];
}

/** All packages under `packages/`, with their TypeScript. */
export function readPackages(): Member[] {
  return readdirSync(path.join(ROOT, 'packages'))
    .sort()
    .map((name) => readMember(`packages/${name}`));
}

export function readMember(directory: string): Member {
  const manifest = JSON.parse(readText(`${directory}/package.json`)) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
    exports?: Record<string, string>;
  };
  return {
    directory,
    shortName: path.basename(directory),
    dependencies: new Set(Object.keys(manifest.dependencies ?? {})),
    devDependencies: new Set(Object.keys(manifest.devDependencies ?? {})),
    exports: Object.keys(manifest.exports ?? {}),
    files: filesBelow(directory, /\.(ts|mjs)$/).map(readSource),
  };
}

/** Paths of files under a directory whose names match, sorted; what is installed or generated is left out. */
export function filesBelow(directory: string, names: RegExp): string[] {
  return readdirSync(path.join(ROOT, directory), { withFileTypes: true })
    .flatMap((entry) => {
      const at = path.posix.join(directory, entry.name);
      if (entry.name === 'node_modules' || entry.name === 'data' || entry.name === '.git') return [];
      if (entry.isDirectory()) return filesBelow(at, names);
      return names.test(entry.name) ? [at] : [];
    })
    .sort();
}

export function readText(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

export function readSource(file: string): SourceFile {
  const text = readText(file);
  return { path: file, text, imports: importsOf(text) };
}

/** Module names in `import … from`, `export … from`, `import '…'`, `import('…')` and `new URL('…', import.meta.url)`. */
export function importsOf(text: string): string[] {
  const code = text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const statements = code.matchAll(/^\s*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"\n]+)['"]/gm);
  const calls = code.matchAll(/\bimport\(\s*['"]([^'"\n]+)['"]|\bnew URL\(\s*['"]([^'"\n]+\.ts)['"]/g);
  return [...statements, ...calls].map((match) => (match[1] ?? match[2]) as string);
}
