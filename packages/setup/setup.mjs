// Makes a fresh clone ready to run: installs the locked dependencies with a pinned pnpm and links the
// pinned Node, once; afterwards it only compares a stamp and returns. Plain JavaScript for Node >= 20
// and no imports beyond Node's own, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PNPM = 'pnpm@10.34.9';
const NODE_MAJOR = 24;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const modules = path.join(root, 'node_modules');
const stampFile = path.join(modules, '.vivace-setup');
const nodeLink = path.join(modules, '.node');

main();

function main() {
  const stamp = wantedStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp && existsSync(nodeLink)) return;
  rmSync(stampFile, { force: true });
  install();
  linkNode();
  writeFileSync(stampFile, stamp);
}

/** Everything that decides what node_modules must hold: changed files or another platform mean a new install. */
function wantedStamp() {
  const hash = createHash('sha256').update(`${PNPM} ${process.platform} ${process.arch} ${process.version}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    const at = path.join(root, file);
    hash.update(`${file}\n`).update(existsSync(at) ? readFileSync(at) : 'missing');
  }
  return `${hash.digest('hex')}\n`;
}

function install() {
  process.stderr.write('vivace: installing dependencies (first start only) ...\n');
  const frozen = existsSync(path.join(root, 'pnpm-lock.yaml')) ? ['--frozen-lockfile'] : [];
  const args = [
    'exec',
    '--yes',
    `--package=${PNPM}`,
    '--',
    'pnpm',
    'install',
    ...frozen,
    '--ignore-scripts',
    '--reporter=append-only',
  ];
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // The installer's output goes to stderr, so that stdout stays the program's own.
  const run = spawnSync(npm, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: installEnvironment(),
    shell: process.platform === 'win32',
  });
  if (run.error) fail(`could not run npm (${run.error.message}): install Node.js 20 or newer with npm, then try again`);
  if (run.status !== 0)
    fail(
      'the install failed: its messages are above. Check the network or the registry setting of npm, then try again',
    );
}

/** npm passes its own settings on as npm_config_*; those that would change where pnpm works are dropped. */
function installEnvironment() {
  const env = { ...process.env, CI: 'true' };
  for (const key of Object.keys(env)) {
    if (/^npm_config_(prefix|local_prefix|global|workspace|workspaces|ignore_scripts)$/i.test(key)) delete env[key];
  }
  return env;
}

/** node_modules/.node/node is Node 24: the platform package's, else the caller's when it is new enough. */
function linkNode() {
  const packaged = path.join(
    modules,
    `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`,
    'bin',
  );
  const executable = process.platform === 'win32' ? 'node.exe' : 'node';
  const works =
    existsSync(path.join(packaged, executable)) &&
    spawnSync(path.join(packaged, executable), ['--version']).status === 0;
  if (!works && Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
    fail(
      `Node.js ${NODE_MAJOR} is needed and no package carries it for ${process.platform}-${process.arch}: install Node.js ${NODE_MAJOR} or newer, then try again (this is ${process.version})`,
    );
  }
  const target = works ? packaged : path.dirname(process.execPath);
  mkdirSync(modules, { recursive: true });
  if (lstatSync(nodeLink, { throwIfNoEntry: false })) {
    if (lstatSync(nodeLink).isSymbolicLink() && readlinkSync(nodeLink) === target) return;
    rmSync(nodeLink, { recursive: true, force: true });
  }
  symlinkSync(target, nodeLink, 'junction');
}

function fail(message) {
  process.stderr.write(`vivace: ${message}\n`);
  process.exit(1);
}
