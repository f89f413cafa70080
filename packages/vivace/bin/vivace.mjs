#!/usr/bin/env node
// `npx vivace` in a clone: makes it ready as `npm start` does, then runs the command line on the pinned Node. Plain
// JavaScript for Node >= 20, because whoever calls it may have no newer one.
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const setup = spawnSync(process.execPath, [path.join(root, 'packages/setup/setup.mjs')], { stdio: 'inherit' });
if (setup.status !== 0) process.exit(setup.status ?? 1);

const node = path.join(root, 'node_modules/.node', process.platform === 'win32' ? 'node.exe' : 'node');
const program = path.join(root, 'packages/vivace/src/cli/main.ts');
const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
// A terminal sends Ctrl-C to both; what is sent to this process alone is handed on.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => {
  process.stderr.write(`vivace: the pinned Node does not start (${error.message}): run npm start once\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
