// Makes a fresh clone ready to run: installs the locked dependencies with a pinned pnpm and links the
// pinned Node, once; afterwards it only compares a stamp and returns. Plain JavaScript for Node >= 20
// and no imports beyond Node's own, because it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PNPM = 'pnpm@10.34.9';
const NODE_MAJOR = 24;
/** An install takes seconds, on a slow network minutes; a lock older than this belongs to nobody. */
const LOCK_MAX_AGE_MS = 15 * 60_000;
const LOCK_POLL_MS = 200;

const windows = process.platform === 'win32';
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const modules = path.join(root, 'node_modules');
const stampFile = path.join(modules, '.vivace-setup');
const lockFile = path.join(modules, '.vivace-setup.lock');
const nodeLink = path.join(modules, '.node');
const nodeExecutable = windows ? 'node.exe' : 'node';

main();

function main() {
  if (Number(process.versions.node.split('.')[0]) < 20)
    fail(`Node.js 20 or newer is needed, this is ${process.version}`);
  if (isReady()) return;
  withLock(() => {
    // Another start may have done the work while this one waited.
    if (isReady()) return;
    // The stamp goes first and comes last: an install that is cut off is done again.
    rmSync(stampFile, { force: true });
    const stamp = wantedStamp();
    install();
    linkNode();
    writeFileSync(stampFile, stamp);
  });
}

function isReady() {
  return existsSync(path.join(nodeLink, nodeExecutable)) && readIfThere(stampFile) === wantedStamp();
}

/** Everything that decides what node_modules must hold: changed files or another platform mean a new install. */
function wantedStamp() {
  const hash = createHash('sha256').update(`${PNPM} ${process.platform} ${process.arch}\n`);
  const members = ['bench', 'test'];
  const packages = path.join(root, 'packages');
  if (existsSync(packages))
    members.push(
      ...readdirSync(packages)
        .sort()
        .map((name) => `packages/${name}`),
    );
  const manifests = members.map((member) => `${member}/package.json`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc', 'package.json', ...manifests]) {
    hash
      .update(`${file}\n`)
      .update(readIfThere(path.join(root, file)) ?? 'missing')
      .update('\n');
  }
  return `${hash.digest('hex')}\n`;
}

/** Runs `work` while no other start of this clone does. */
function withLock(work) {
  try {
    mkdirSync(modules, { recursive: true });
  } catch (error) {
    fail(`cannot write ${modules} (${error.code}): let this user write to the clone, then try again`);
  }
  let told = false;
  while (!takeLock()) {
    if (!told) process.stderr.write('vivace: another start is installing, waiting for it ...\n');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  process.on('exit', () => rmSync(lockFile, { force: true }));
  work();
}

/** True when the lock is ours now. A lock whose process is gone is put aside, to be taken on the next try. */
function takeLock() {
  try {
    writeFileSync(lockFile, `${process.pid} ${hostname()}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      fail(`cannot write ${lockFile} (${error.code}): let this user write to the clone, then try again`);
    }
  }
  const holder = readIfThere(lockFile);
  if (holder === undefined || !isStale(holder)) return false;
  // Renamed, not removed: had somebody taken it in between, it would be put back.
  const aside = `${lockFile}.${process.pid}`;
  try {
    renameSync(lockFile, aside);
    if (readIfThere(aside) !== holder) linkSync(aside, lockFile);
    rmSync(aside, { force: true });
  } catch {
    // Somebody else was faster; the next try tells.
  }
  return false;
}

function isStale(holder) {
  const [pid, host] = holder.trim().split(' ');
  const stat = statSync(lockFile, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (Date.now() - stat.mtimeMs > LOCK_MAX_AGE_MS) return true;
  // Just created and not written yet, or of another machine or container.
  if (!(Number(pid) > 0) || host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function install() {
  process.stderr.write('vivace: installing dependencies (once, and after they change) ...\n');
  const frozen = existsSync(path.join(root, 'pnpm-lock.yaml')) ? ['--frozen-lockfile'] : [];
  const pnpm = ['exec', '--yes', `--package=${PNPM}`, '--', 'pnpm', 'install'];
  const args = [...pnpm, ...frozen, '--ignore-scripts', '--reporter=append-only'];
  // The installer's output goes to stderr, so that stdout stays the program's own.
  const run = spawnSync(windows ? 'npm.cmd' : 'npm', args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: installEnvironment(),
    shell: windows,
  });
  if (run.error) fail(`could not run npm (${run.error.message}): install Node.js 20 or newer with npm, then try again`);
  if (run.status !== 0) {
    fail(
      `the install failed, its messages are above: check the network and npm's registry setting, then try again. After a change of a package.json: npm ${pnpm.join(' ')} --no-frozen-lockfile --ignore-scripts`,
    );
  }
}

/** npm passes its own settings on as npm_config_*; those that would change where pnpm works are dropped. */
function installEnvironment() {
  const env = { ...process.env, CI: 'true' };
  for (const key of Object.keys(env)) {
    if (/^npm_config_(prefix|local_prefix|global|workspace|workspaces|ignore_scripts|production|omit)$/i.test(key)) {
      delete env[key];
    }
  }
  // Without it nothing of what development needs would be installed.
  delete env.NODE_ENV;
  return env;
}

/** node_modules/.node/node is Node 24: the platform package's, else the caller's when it is new enough. */
function linkNode() {
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`;
  const packaged = path.join(modules, name, 'bin', nodeExecutable);
  const works = existsSync(packaged) && spawnSync(packaged, ['--version']).status === 0;
  if (!works && Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
    fail(
      `Node.js ${NODE_MAJOR} is needed and no package carries it for ${process.platform}-${process.arch}: install Node.js ${NODE_MAJOR} or newer, then try again (this is ${process.version})`,
    );
  }
  // Relative where it can be, so that a clone may be moved.
  const inside = windows ? path.dirname(packaged) : path.join(name, 'bin');
  const target = works ? inside : path.dirname(process.execPath);
  const there = lstatSync(nodeLink, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() && readlinkSync(nodeLink) === target) return;
  if (there) rmSync(nodeLink, { recursive: true, force: true });
  symlinkSync(target, nodeLink, 'junction');
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function fail(message) {
  process.stderr.write(`vivace: ${message}\n`);
  process.exit(1);
}
