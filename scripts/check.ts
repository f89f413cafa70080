// `npm test`: every check there is, counted. The last line alone is `N passed, N failed`, where each of the
// stages before the tests counts as one. `npm test -- lint types` runs stages by name; anything else after
// `--` goes to vitest, and only the tests run: `npm test -- packages/wal -t 'torn tail'`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Counts, countTests, formatCounts } from './test-counts.ts';

const root = path.resolve(import.meta.dirname, '..');

/** In the order they are begun. All but the tests run two at a time: none of them fills two cores. */
const STAGES: Record<string, string[]> = {
  types: ['tsc', '-p', '.'],
  lint: ['oxlint', '--type-aware', '--deny-warnings'],
  unused: ['knip', '--no-progress', '--no-config-hints'],
  format: ['biome', 'check', '.'],
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const names = [...Object.keys(STAGES), 'tests'];
  const chosen = args.filter((argument) => names.includes(argument));
  const forVitest = args.filter((argument) => !names.includes(argument));
  const wanted = chosen.length > 0 ? chosen : forVitest.length > 0 ? ['tests'] : names;

  const counts: Counts = { passed: 0, failed: 0 };
  const waiting = Object.entries(STAGES).filter(([name]) => wanted.includes(name));
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) add(counts, await runStage(...next));
  };
  await Promise.all([lane(), lane()]);
  if (wanted.includes('tests')) add(counts, await runTests(forVitest));
  process.stdout.write(`\n${formatCounts(counts)}\n`);
  return counts.failed === 0 ? 0 : 1;
}

/** Runs a stage and shows what it says only when it fails. */
async function runStage(name: string, [tool, ...args]: string[]): Promise<Counts> {
  const begin = performance.now();
  const { code, output } = await run(tool as string, args, 'keep');
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  process.stdout.write(code === 0 ? `ok      ${name} (${seconds} s)\n` : `FAILED  ${name} (${seconds} s)\n${output}\n`);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

async function runTests(args: string[]): Promise<Counts> {
  const directory = mkdtempSync(path.join(tmpdir(), 'vivace-check-'));
  const report = path.join(directory, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const { code } = await run('vitest', ['run', ...reporters, ...args], 'show');
    return countTests(readIfThere(report), code);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(tool: string, args: string[], mode: 'keep' | 'show'): Promise<{ code: number; output: string }> {
  const modules = path.join(root, 'node_modules');
  const env = {
    // Kept where the program keeps it: threads that tests start would strip and compile all they import, each anew.
    NODE_COMPILE_CACHE: path.join(modules, '.compiled'),
    ...process.env,
    // What the tools start by the name `node` is the pinned one, too.
    PATH: `${path.join(modules, '.node')}${path.delimiter}${process.env.PATH}`,
  };
  return new Promise((resolve) => {
    const stdio = mode === 'show' ? 'inherit' : 'pipe';
    const child = spawn(path.join(modules, '.bin', tool), args, { cwd: root, env, stdio: ['ignore', stdio, stdio] });
    let output = '';
    child.stdout?.on('data', (part: Buffer) => (output += part.toString()));
    child.stderr?.on('data', (part: Buffer) => (output += part.toString()));
    child.once('error', (error) => resolve({ code: 1, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function add(to: Counts, more: Counts): void {
  to.passed += more.passed;
  to.failed += more.failed;
}
