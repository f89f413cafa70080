import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  filesBelow,
  importsOf,
  type Member,
  ROOT,
  readMember,
  readPackages,
  readText,
  type SourceFile,
} from './source-tree.ts';

const packages = readPackages();
const beside = ['bench', 'test'].map(readMember);
const sources = [...packages, ...beside]
  .flatMap((member) => member.files)
  .concat(
    filesBelow('scripts', /\.ts$/).map((file) => ({
      path: file,
      text: readText(file),
      imports: importsOf(readText(file)),
    })),
  );
const isTest = (file: string) => /\.(test|bench)\.ts$|\/testing(\/|\.ts$)/.test(file);

/** Rows of the table in docs/architecture.md, the highest first. */
const layers = [...readText('docs/architecture.md').matchAll(/^\| \w+ \| ([a-z, -]+) \| /gm)]
  .map((row) => (row[1] as string).split(', '))
  .filter((names) => names[0] !== 'packages');

describe('layers', () => {
  test('every package stands in the table of docs/architecture.md, once, and every name there is a package', () => {
    expect(layers.flat().sort()).toEqual(packages.map((member) => member.shortName).sort());
  });

  test('a package imports only from layers below its own, through the index or testing of the other', () => {
    const rank = new Map(layers.flatMap((names, row) => names.map((name) => [name, row] as const)));
    const wrong: string[] = [];
    for (const member of packages) {
      for (const file of member.files) {
        for (const name of file.imports) {
          const [, other, rest] = /^@vivace\/([^/]+)(?:\/(.*))?$/.exec(name) ?? [];
          if (other === undefined) continue;
          if ((rank.get(other) ?? -1) <= (rank.get(member.shortName) ?? -1))
            wrong.push(`${file.path} imports upwards: ${name}`);
          if (rest !== undefined && (rest !== 'testing' || !isTest(file.path)))
            wrong.push(`${file.path} imports past the index: ${name}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a relative import never leaves its package', () => {
    const wrong = packages.flatMap((member) =>
      member.files.flatMap((file) =>
        file.imports
          .filter((name) => name.startsWith('.') && !resolve(file, name).startsWith(`${member.directory}/`))
          .map((name) => `${file.path}: ${name}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test('no files import each other in a circle', () => {
    expect([...packages, ...beside].flatMap((member) => cycles(member.files))).toEqual([]);
  });

  test('the circle search finds one', () => {
    const file = (name: string, ...imports: string[]): SourceFile => ({ path: `p/${name}`, text: '', imports });
    expect(cycles([file('a.ts', './b.ts'), file('b.ts', './c.ts'), file('c.ts', './b.ts'), file('d.ts')])).toEqual([
      'p/b.ts -> p/c.ts -> p/b.ts',
    ]);
    expect(cycles([file('a.ts', './b.ts', './c.ts'), file('b.ts', './c.ts'), file('c.ts')])).toEqual([]);
  });
});

describe('modules', () => {
  test('a package that others import has one index.ts, of named exports only, and shares only that and testing', () => {
    for (const member of packages.filter(isLibrary)) {
      expect(existsSync(path.join(ROOT, member.directory, 'src/index.ts')), member.directory).toBe(true);
      expect(['.', './testing'], member.directory).toEqual(expect.arrayContaining(member.exports));
      expect(
        member.files.filter((file) => path.basename(file.path) === 'index.ts'),
        member.directory,
      ).toHaveLength(1);
    }
  });

  test('what a manifest exports exists', () => {
    const missing = packages.flatMap((member) => {
      const targets = Object.values(
        (JSON.parse(readText(`${member.directory}/package.json`)) as { exports?: Record<string, string> }).exports ??
          {},
      );
      return targets
        .map((target) => path.posix.join(member.directory, target))
        .filter((file) => !existsSync(path.join(ROOT, file)));
    });
    expect(missing).toEqual([]);
  });

  test('nothing is exported as default or by star', () => {
    const wrong = sources.filter((file) => /^export (default\b|\*)/m.test(file.text)).map((file) => file.path);
    expect(wrong).toEqual([]);
  });

  test('names of files are kebab-case', () => {
    expect(
      sources
        .map((file) => file.path)
        .filter((file) => !/^[a-z0-9-]+(\.test|\.bench|\.config)?\.(ts|mjs)$/.test(path.basename(file))),
    ).toEqual([]);
  });

  test('no file is longer than 600 lines', () => {
    expect(sources.filter((file) => file.text.split('\n').length > 601).map((file) => file.path)).toEqual([]);
  });

  test('nothing is left to be done in a comment', () => {
    const marks = new RegExp(`\\b(TO${''}DO|FIX${''}ME)\\b`);
    expect(sources.filter((file) => marks.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  test('no test is switched off or alone', () => {
    const marks = /\b(test|it|describe)\.(only|skip|todo)\(/;
    expect(
      sources.filter((file) => file.path.endsWith('.test.ts') && marks.test(file.text)).map((file) => file.path),
    ).toEqual([]);
  });
});

describe('documents', () => {
  const dependencyRows = new Set(
    [...readText('docs/dependencies.md').matchAll(/^\| `([^`]+)`/gm)].map((row) => row[1] as string),
  );

  test('every runtime dependency has a line in docs/dependencies.md, and every line there is a dependency', () => {
    const runtime = new Set(
      packages.flatMap((member) => [...member.dependencies]).filter((name) => !name.startsWith('@vivace/')),
    );
    const rows = readText('docs/dependencies.md').split('## At run time')[1]?.split('\n## ')[0] ?? '';
    const described = [...rows.matchAll(/^\| `([^`]+)`/gm)].map((row) => row[1] as string);
    expect(described.sort()).toEqual([...runtime].sort());
  });

  test.each([
    '@aws-sdk/client-s3',
    'apache-arrow',
    'parquetjs-lite',
    'bloom-filters',
    'hono',
    '@grpc/grpc-js',
    'lz4',
    'pino',
    'vitest',
    'testcontainers',
  ])('docs/dependencies.md says whether %s is used, or what is instead', (name) => {
    expect(dependencyRows).toContain(name);
  });

  test('versions are exact, so that a lock file is not all that pins them', () => {
    const manifests = ['.', ...[...packages, ...beside].map((member) => member.directory)].map(
      (directory) => `${directory}/package.json`,
    );
    const loose = manifests.flatMap((file) => {
      const manifest = JSON.parse(readText(file)) as Record<string, Record<string, string> | undefined>;
      const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
      return Object.entries(all)
        .filter(([, version]) => !/^(\d|workspace:\*$)/.test(version))
        .map(([name, version]) => `${file}: ${name} ${version}`);
    });
    expect(loose).toEqual([]);
  });

  test('the life of a span passes every package that has one in its hands, and calls files by their names', () => {
    const life = readText('docs/architecture.md').split('## The life of a span')[1]?.split('\n## ')[0] ?? '';
    const links = [...life.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)].map(([, text, target]) => ({ text, target }));
    const passed = new Set(links.map(({ target }) => /^\.\.\/packages\/([^/]+)\//.exec(target as string)?.[1]));
    const without = ['config', 'kernel', 'setup', 'telemetry'];
    expect(packages.map((member) => member.shortName).filter((name) => !passed.has(name))).toEqual(without);
    const misnamed = links.filter(
      ({ text, target }) => /\.(ts|md)$/.test(text as string) && path.basename(target as string) !== text,
    );
    expect(misnamed).toEqual([]);
  });

  test('docs/operations.md has every metric of ours, and none that does not exist', () => {
    const inSource = new Set(
      packages
        .flatMap((member) => member.files.filter((file) => !isTest(file.path)))
        .flatMap((file) => [...file.text.matchAll(/\bname: '(vivace_\w+)'/g)].map((match) => match[1])),
    );
    const table = readText('docs/operations.md').matchAll(/^\| `(vivace_\w+)/gm);
    expect(new Set([...table].map((match) => match[1] as string))).toEqual(new Set(inSource));
  });

  test('every link to a file in README.md and the documents leads somewhere', () => {
    const documents = ['.', 'docs', 'packages', 'deploy', 'bench', 'test'].flatMap((directory) =>
      directory === '.'
        ? ['README.md', 'CHANGELOG.md']
        : existsSync(path.join(ROOT, directory))
          ? filesBelow(directory, /\.md$/)
          : [],
    );
    const broken = documents.flatMap((document) =>
      [...readText(document).matchAll(/\]\(([^)\s]+)\)/g)]
        .map((match) => (match[1] as string).split('#')[0] as string)
        .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(path.join(ROOT, path.dirname(document), target)))
        .map((target) => `${document}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

test('imports are found in every form', () => {
  const text = [
    "import a, { b } from 'one';",
    "import type { C } from './two.ts';",
    'import {\n  d,\n  e,\n} from "three";',
    "export { f } from './four.ts';",
    "import 'five';",
    "const g = await import('./six.ts');",
    "new Worker(new URL('./seven-worker.ts', import.meta.url));",
    "// import x from 'no';",
    " * import y from 'no';",
    "const text = `from 'no'`;",
  ].join('\n');
  expect(importsOf(text)).toEqual(['one', './two.ts', 'three', './four.ts', 'five', './six.ts', './seven-worker.ts']);
});

function isLibrary(member: Member): boolean {
  return member.exports.length > 0;
}

function resolve(file: SourceFile, name: string): string {
  return path.posix.join(path.posix.dirname(file.path), name);
}

/** Circles of relative imports, each named once, from where the search first met it. */
function cycles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: SourceFile, trail: string[]): void => {
    const at = trail.indexOf(file.path);
    if (at >= 0) found.push([...trail.slice(at), file.path].join(' -> '));
    if (at >= 0 || done.has(file.path)) return;
    for (const name of file.imports) {
      const next = name.startsWith('.') ? byPath.get(resolve(file, name)) : undefined;
      if (next) visit(next, [...trail, file.path]);
    }
    done.add(file.path);
  };
  for (const file of files) visit(file, []);
  return found;
}
