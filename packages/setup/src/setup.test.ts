import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SETUP = path.resolve(import.meta.dirname, '../setup.mjs');
const PLATFORM_PACKAGE = `node-${process.platform}-${process.arch}`;

let directory = '';
let clone = '';
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vivace-setup-'));
  clone = path.join(directory, 'clone');
  for (const [file, text] of Object.entries({
    'package.json': '{}',
    'pnpm-lock.yaml': 'lock',
    'pnpm-workspace.yaml': 'workspace',
    'packages/a/package.json': '{}',
    'bench/package.json': '{}',
  })) {
    mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
    writeFileSync(path.join(clone, file), text);
  }
  mkdirSync(path.join(clone, 'packages/setup'), { recursive: true });
  cpSync(SETUP, path.join(clone, 'packages/setup/setup.mjs'));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/**
 * An npm that writes down how it was called and what pnpm would have installed: the network is not part of
 * what is tested here.
 */
function installer(script = ''): NodeJS.ProcessEnv {
  const bin = path.join(directory, 'bin');
  const platformBin = path.join('node_modules', PLATFORM_PACKAGE, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    path.join(bin, 'npm'),
    `#!/bin/sh
echo "$PWD $*" >> ${directory}/calls
env > ${directory}/env
${script}
mkdir -p ${platformBin} && ln -sf ${process.execPath} ${platformBin}/node
`,
  );
  chmodSync(path.join(bin, 'npm'), 0o755);
  return { PATH: `${bin}:/usr/bin:/bin`, HOME: directory };
}

function setup(env: NodeJS.ProcessEnv): { status: number | null; stderr: string; stdout: string; ms: number } {
  const begin = performance.now();
  const run = spawnSync(process.execPath, [path.join(clone, 'packages/setup/setup.mjs')], { env, encoding: 'utf8' });
  return { status: run.status, stderr: run.stderr, stdout: run.stdout, ms: performance.now() - begin };
}

const calls = () =>
  existsSync(path.join(directory, 'calls'))
    ? readFileSync(path.join(directory, 'calls'), 'utf8').trim().split('\n')
    : [];
const lock = () => path.join(clone, 'node_modules/.vivace-setup.lock');

test('a first run installs from the lock file without scripts and links Node; stdout stays free', () => {
  const run = setup(installer());
  expect(run).toMatchObject({ status: 0, stdout: '' });
  expect(calls()).toHaveLength(1);
  expect(calls()[0]).toMatch(
    /exec --yes --package=pnpm@10\.\d+\.\d+ -- pnpm install --frozen-lockfile --ignore-scripts/,
  );
  const linked = spawnSync(path.join(clone, 'node_modules/.node/node'), ['--version'], { encoding: 'utf8' });
  expect(linked.stdout.trim()).toBe(process.version);
  expect(existsSync(lock())).toBe(false);
});

test('a second run does nothing and takes less than half a second', () => {
  const env = installer();
  setup(env);
  const again = [setup(env), setup(env), setup(env)];
  for (const run of again) expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
  // The best of three: other tests run at the same time.
  expect(Math.min(...again.map((run) => run.ms))).toBeLessThan(500);
  expect(calls()).toHaveLength(1);
});

test.each([
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'package.json',
  'packages/a/package.json',
  'bench/package.json',
  'packages/new/package.json',
])('a change of %s leads to one more install', (file) => {
  const env = installer();
  setup(env);
  mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
  writeFileSync(path.join(clone, file), 'changed');
  setup(env);
  setup(env);
  expect(calls()).toHaveLength(2);
});

test('a clone that was moved still starts without an install', () => {
  const env = installer();
  setup(env);
  const moved = path.join(directory, 'moved');
  renameSync(clone, moved);
  clone = moved;
  expect(setup(env)).toMatchObject({ status: 0, stderr: '' });
  expect(calls()).toHaveLength(1);
});

test('a failed install is said with a remedy, leaves no stamp, and is done again', () => {
  const failed = setup(installer('echo no network >&2; exit 1'));
  expect(failed.status).toBe(1);
  expect(failed.stderr).toMatch(/no network\nvivace: the install failed, its messages are above: check the network/);
  expect(existsSync(lock())).toBe(false);
  expect(setup(installer()).status).toBe(0);
  expect(calls()).toHaveLength(2);
});

test('an install that was killed is done again, also when it had been complete before', async () => {
  setup(installer());
  writeFileSync(path.join(clone, 'pnpm-lock.yaml'), 'changed');
  const env = installer('exec sleep 30');
  const child = spawn(process.execPath, [path.join(clone, 'packages/setup/setup.mjs')], {
    env,
    stdio: 'ignore',
    detached: true,
  });
  await expect.poll(calls, { timeout: 10_000 }).toHaveLength(2);
  process.kill(-(child.pid as number), 'SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  expect(existsSync(lock())).toBe(true);
  const again = setup(installer());
  expect(again).toMatchObject({ status: 0 });
  expect(calls()).toHaveLength(3);
  expect(existsSync(lock())).toBe(false);
});

test('of starts at the same time one installs and the others wait for it', async () => {
  const env = installer('sleep 1');
  const runs = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<{ code: number | null; stderr: string }>((resolve) => {
          const child = spawn(process.execPath, [path.join(clone, 'packages/setup/setup.mjs')], { env });
          children.push(child);
          let stderr = '';
          child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
          child.once('close', (code) => resolve({ code, stderr }));
        }),
    ),
  );
  expect(runs.map((run) => run.code)).toEqual([0, 0, 0]);
  expect(calls()).toHaveLength(1);
  expect(runs.filter((run) => run.stderr.includes('another start is installing'))).toHaveLength(2);
});

test.each([
  ['a process that is gone', `4194300 ${hostname()}\n`, 0],
  ['long ago on another machine', '1 elsewhere\n', 3_600_000],
  ['nobody, long ago', '', 3_600_000],
])('a lock left by %s does not block', (_name, text, ageMs) => {
  mkdirSync(path.join(clone, 'node_modules'));
  writeFileSync(lock(), text);
  const time = new Date(Date.now() - ageMs);
  utimesSync(lock(), time, time);
  expect(setup(installer()).status).toBe(0);
  expect(existsSync(lock())).toBe(false);
});

test('without npm, and where the clone cannot be written, the remedy is named', () => {
  const without = setup({ PATH: '/nowhere' });
  expect(without).toMatchObject({ status: 1 });
  expect(without.stderr).toMatch(/vivace: could not run npm \(.*ENOENT.*\): install Node\.js 20 or newer with npm/);
  rmSync(path.join(clone, 'node_modules'), { recursive: true });
  writeFileSync(path.join(clone, 'node_modules'), 'a file in the way');
  expect(setup(installer()).stderr).toMatch(/vivace: cannot write .*node_modules \(EEXIST\): let this user write/);
});

test("npm's settings that would install elsewhere or leave parts out do not reach the installer", () => {
  const env = installer();
  setup({
    ...env,
    npm_config_prefix: '/elsewhere',
    npm_config_global: 'true',
    npm_config_omit: 'dev',
    NODE_ENV: 'production',
    npm_config_registry: 'https://registry.example',
  });
  const seen = readFileSync(path.join(directory, 'env'), 'utf8');
  expect(seen).not.toMatch(/elsewhere|npm_config_global|npm_config_omit|NODE_ENV/);
  expect(seen).toContain('npm_config_registry=https://registry.example');
  expect(seen).toContain('CI=true');
});
