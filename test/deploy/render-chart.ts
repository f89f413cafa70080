import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../harness/server.ts';

const root = path.resolve(import.meta.dirname, '../..');
export const CHART = path.join(root, 'helm/vivace');
const RELEASE = 'vivace';
const NAMESPACE = 'observability';

/** The chart with one set of values: its manifests, or why it refuses them. */
export interface Rendered {
  name: string;
  valuesFile: string;
  text?: string;
  error?: string;
}

/** Values files to render beside those of the chart, by name. */
export type ExtraValues = Readonly<Record<string, string>>;

/**
 * Renders the chart with every file of its `ci/`: with Helm, else with the renderer of helm/render and Debian's Go and
 * sprig. Undefined, and said on the console, where there is neither.
 */
export async function renderChart(extra: ExtraValues = {}): Promise<{ by: string; sets: Rendered[] } | undefined> {
  const ci = path.join(CHART, 'ci');
  const sets: Rendered[] = [
    ...readdirSync(ci).map((file) => ({ name: path.parse(file).name, valuesFile: path.join(ci, file) })),
    ...Object.entries(extra).map(([name, valuesFile]) => ({ name, valuesFile })),
  ];
  if (await answers('helm', ['version', '--short'])) return { by: 'helm', sets: await withHelm(sets) };
  if (await answers('go', ['version'])) {
    const rendered = await withGo(sets);
    if (rendered !== undefined) return { by: 'go and sprig', sets: rendered };
  }
  return undefined;
}

async function withHelm(sets: readonly Rendered[]): Promise<Rendered[]> {
  const rendered: Rendered[] = [];
  for (const set of sets) {
    const args = ['template', RELEASE, CHART, '--namespace', NAMESPACE, '--values', set.valuesFile];
    try {
      rendered.push({ ...set, text: (await run('helm', args)).stdout });
    } catch (error) {
      rendered.push({ ...set, error: String((error as { stderr?: string }).stderr) });
    }
  }
  return rendered;
}

async function withGo(sets: readonly Rendered[]): Promise<Rendered[] | undefined> {
  const directory = temporaryDirectory();
  try {
    const program = path.join(directory.path, 'render');
    const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOPATH: '/usr/share/gocode' };
    try {
      await run('go', ['build', '-o', program, path.join(root, 'helm/render/main.go')], { env });
    } catch (error) {
      console.log(`the renderer of the chart does not build: ${String(error)}`);
      return undefined;
    }
    const wanted = sets.map(({ name, valuesFile }) => `${name}=${valuesFile}`);
    await run(program, [CHART, RELEASE, NAMESPACE, directory.path, ...wanted]);
    return sets.map((set) => {
      const text = readIfThere(path.join(directory.path, `${set.name}.yaml`));
      const error = readIfThere(path.join(directory.path, `${set.name}.error`));
      return { ...set, ...(text !== undefined && { text }), ...(error !== undefined && { error }) };
    });
  } finally {
    directory.remove();
  }
}

function run(program: string, args: string[], options: { env?: NodeJS.ProcessEnv } = {}) {
  return promisify(execFile)(program, args, { ...options, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 });
}

async function answers(program: string, args: string[]): Promise<boolean> {
  try {
    await run(program, args);
    return true;
  } catch {
    return false;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
