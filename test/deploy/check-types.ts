import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { temporaryDirectory } from '../harness/server.ts';
import { kindOf, type Manifest } from './manifests.ts';

const TYPES = path.dirname(createRequire(import.meta.url).resolve('kubernetes-types/package.json'));
const TSC = path.resolve(import.meta.dirname, '../../node_modules/.bin/tsc');

/** Groups of Kubernetes that are not named as their module is. */
const MODULES: Readonly<Record<string, string>> = { v1: 'core/v1', 'networking.k8s.io/v1': 'networking/v1' };

/**
 * What the compiler says of manifests written down as values of their Kubernetes types: unknown fields, missing ones,
 * wrong types. Empty where all are right. `kinds` are those that it knows; others are left to the caller.
 */
export async function typeErrors(manifests: readonly Manifest[], kinds: ReadonlySet<string>): Promise<string[]> {
  const directory = temporaryDirectory();
  try {
    const lines = manifests
      .filter((manifest) => kinds.has(kindOf(manifest)))
      .map((manifest, i) => `export const m${i}: ${typeOf(manifest)} = ${JSON.stringify(manifest)};`);
    writeFileSync(path.join(directory.path, 'manifests.ts'), lines.join('\n'));
    writeFileSync(
      path.join(directory.path, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          target: 'es2024',
          module: 'nodenext',
          skipLibCheck: true,
          types: [],
        },
        files: ['manifests.ts'],
      }),
    );
    const output = await new Promise<string>((resolve) => {
      execFile(TSC, ['-p', directory.path, '--pretty', 'false'], { timeout: 120_000 }, (error, stdout, stderr) =>
        resolve(error === null ? '' : `${stdout}${stderr}${stdout === '' ? error.message : ''}`),
      );
    });
    return output.split('\n').filter((line) => line.trim() !== '');
  } finally {
    directory.remove();
  }
}

function typeOf({ apiVersion, kind }: Manifest): string {
  return `import(${JSON.stringify(path.join(TYPES, `${MODULES[apiVersion] ?? apiVersion}.d.ts`))}).${kind}`;
}
