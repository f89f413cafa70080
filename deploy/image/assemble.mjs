// Puts the root file system of the image together: Node with the libraries that it loads, the sources of `vivace` and
// of what it depends on, and nothing else; no shell, no package manager. Plain JavaScript, because it runs in the
// build before anything else does:
//
//   node deploy/image/assemble.mjs OUT
//
// What is copied is listed in OUT/app/sbom.cdx.json (CycloneDX 1.6).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const USER = 65532;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const [, , out] = process.argv;
if (out === undefined) throw new Error('usage: assemble.mjs OUT');

const packages = dependencies('vivace');
const app = path.join(out, 'app');
for (const { directory } of packages) copyPackage(directory);
for (const { directory, names } of packages) for (const name of names) linkDependency(directory, name);
copyRuntime();
writeSystemFiles();
writeFileSync(path.join(app, 'sbom.cdx.json'), `${JSON.stringify(billOfMaterials(), null, 2)}\n`);

/** The package and all that it needs at run time, each with its real place and the names that it imports. */
function dependencies(first) {
  const found = new Map();
  const visit = (directory) => {
    if (found.has(directory)) return;
    const manifest = readManifest(directory);
    const wanted = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    const places = wanted.flatMap((name) => {
      const place = placeOf(directory, name);
      if (place === undefined && manifest.dependencies?.[name] !== undefined) {
        throw new Error(`${manifest.name} needs ${name}, which is not installed: pnpm install first`);
      }
      return place === undefined ? [] : [{ name, directory: place }];
    });
    found.set(directory, { directory, manifest, names: places.map(({ name }) => name) });
    for (const place of places) visit(place.directory);
  };
  visit(path.join(root, 'packages', first));
  return [...found.values()];
}

/** Where Node finds `name` from a package: its own node_modules, or pnpm's beside it. */
function placeOf(directory, name) {
  for (const modules of modulesOf(directory)) {
    const link = path.join(modules, name);
    if (existsSync(link)) return realpathSync(link);
  }
  return undefined;
}

function modulesOf(directory) {
  const own = path.join(directory, 'node_modules');
  const { name } = readManifest(directory);
  const beside = path.resolve(directory, name.startsWith('@') ? '../..' : '..');
  return path.basename(beside) === 'node_modules' ? [own, beside] : [own];
}

function placeInApp(directory) {
  return path.join(app, path.relative(root, directory));
}

function copyPackage(directory) {
  cpSync(directory, placeInApp(directory), {
    recursive: true,
    filter: (source) => {
      const name = path.relative(directory, source);
      if (name === 'node_modules') return false;
      // Types, maps and manuals of others; tests of our own.
      if (!directory.includes('node_modules')) return !/\.(test|bench)\.ts$|(^|\/)golden(\/|$)/.test(name);
      return !/\.(d\.[cm]?ts|map|md|markdown)$/.test(name) || /^(licen[cs]e|notice)/i.test(path.basename(name));
    },
  });
}

/** The same links as installed, so that every package sees its own versions. */
function linkDependency(directory, name) {
  for (const modules of modulesOf(directory)) {
    const link = path.join(modules, name);
    if (!existsSync(link)) continue;
    const target = placeInApp(realpathSync(link));
    const copied = path.join(app, path.relative(root, modules), name);
    if (path.resolve(copied) === path.resolve(target) || existsSync(copied)) return;
    mkdirSync(path.dirname(copied), { recursive: true });
    symlinkSync(path.relative(path.dirname(copied), target), copied);
    return;
  }
}

/** Node, the loader, and the shared libraries of Node and of native addons, where they are on this system. */
function copyRuntime() {
  const node = path.join(out, 'usr/local/bin/node');
  mkdirSync(path.dirname(node), { recursive: true });
  copyFileSync(realpathSync(process.execPath), node);
  chmodSync(node, 0o755);
  const addons = readdirSync(app, { recursive: true }).filter((file) => file.endsWith('.node'));
  const libraries = new Set();
  for (const binary of [process.execPath, ...addons.map((file) => path.join(app, file))]) {
    const listed = execFileSync('ldd', [binary], { encoding: 'utf8' });
    if (listed.includes('not found')) throw new Error(`${binary} lacks a library:\n${listed}`);
    for (const [library] of listed.matchAll(/(?<=\s)\/[^\s(]+/g)) libraries.add(library);
  }
  for (const library of libraries) {
    const copied = path.join(out, library);
    mkdirSync(path.dirname(copied), { recursive: true });
    copyFileSync(realpathSync(library), copied);
    chmodSync(copied, 0o755);
  }
}

function writeSystemFiles() {
  const etc = path.join(out, 'etc');
  mkdirSync(etc, { recursive: true });
  writeFileSync(path.join(etc, 'passwd'), `vivace:x:${USER}:${USER}::/app:/nowhere\n`);
  writeFileSync(path.join(etc, 'group'), `vivace:x:${USER}:\n`);
  // The resolver of libc has both built in.
  writeFileSync(path.join(etc, 'nsswitch.conf'), 'hosts: files dns\n');
  for (const [directory, mode] of [
    ['tmp', 0o1777],
    ['data', 0o750],
  ]) {
    mkdirSync(path.join(out, directory), { recursive: true });
    chmodSync(path.join(out, directory), mode);
  }
  // The only place that the process may write to. Elsewhere than in a build nobody may give files away.
  if (process.getuid() === 0) chownSync(path.join(out, 'data'), USER, USER);
}

function billOfMaterials() {
  const components = packages
    .map(({ manifest, directory }) => ({
      type: directory.includes('node_modules') ? 'library' : 'application',
      name: manifest.name,
      version: manifest.version,
      purl: `pkg:npm/${manifest.name.replace('@', '%40')}@${manifest.version}`,
      'bom-ref': `pkg:npm/${manifest.name.replace('@', '%40')}@${manifest.version}`,
      ...(typeof manifest.license === 'string' && { licenses: [{ expression: manifest.license }] }),
    }))
    .filter((one, i, all) => all.findIndex((other) => other.purl === one.purl) === i)
    .sort((a, b) => (a.purl < b.purl ? -1 : 1));
  components.push({
    type: 'platform',
    name: 'node',
    version: process.versions.node,
    purl: `pkg:generic/node@${process.versions.node}`,
    'bom-ref': `pkg:generic/node@${process.versions.node}`,
    hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(readFileSync(process.execPath)).digest('hex') }],
  });
  const { name, version } = readManifest(path.join(root, 'packages/vivace'));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', name, version, 'bom-ref': name } },
    components,
  };
}

function readManifest(directory) {
  return JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'));
}
