import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runVivace } from './testing/run-cli.ts';

const MAIN = path.join(import.meta.dirname, 'main.ts');

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vivace-cli-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function start(...argv: string[]): { child: ChildProcess; stderr: () => string } {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return { child, stderr: () => stderr };
}

test('it ends quietly when nobody reads on', async () => {
  const { child, stderr } = start('config', 'print');
  child.stdout?.destroy();
  const [status] = (await once(child, 'close')) as [number | null];
  expect({ status, stderr: stderr() }).toEqual({ status: 0, stderr: '' });
});

test('it is ended by Ctrl-C, and says nothing', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const connected = once(silent, 'connection');
  const { child, stderr } = start('search', '{}', '--url', `http://127.0.0.1:${port}`);
  await connected;
  child.kill('SIGINT');
  const [status] = (await once(child, 'close')) as [number | null];
  expect({ status, stderr: stderr() }).toEqual({ status: 130, stderr: '' });
  silent.close();
});

test('nobody at --url is a failure that says so', async () => {
  expect(await runVivace(['trace', 'get', 'a1', '--url', 'http://127.0.0.1:1'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^vivace: no server answers at http:\/\/127\.0\.0\.1:1 \(/) as string,
  });
});

test('settings are checked, and printed without what is secret', async () => {
  const file = path.join(directory, 'vivace.yaml');
  writeFileSync(file, 'storage:\n  trace:\n    s3:\n      endpoint: http://user:password@127.0.0.1:9000\n');
  expect(await runVivace(['config', 'check', file])).toEqual({
    status: 0,
    stdout: 'the settings are right\n',
    stderr: '',
  });
  for (const json of [[], ['--json']]) {
    const { status, stdout } = await runVivace(['config', 'print', '--config', file, ...json]);
    expect(status).toBe(0);
    expect(stdout).toContain('<redacted>@127.0.0.1:9000');
    expect(stdout).not.toContain('password');
  }
  writeFileSync(file, 'storage:\n  trce: {}\n');
  const wrong = await runVivace(['config', 'check', file]);
  expect(wrong).toMatchObject({ status: 1, stdout: '' });
  expect(wrong.stderr).toMatch(/vivace\.yaml:2: .*did you mean/);
});

test('the launcher makes the clone ready, and hands on words, exit codes and signals on the pinned Node', () => {
  const clone = path.join(directory, 'clone');
  for (const [file, text] of Object.entries({
    'packages/setup/setup.mjs': "process.stderr.write('ready ');",
    'packages/vivace/src/cli/main.ts': `const [code, signal] = process.argv.slice(2);
      process.stdout.write(JSON.stringify(process.argv.slice(2)));
      if (signal) process.kill(process.pid, signal);
      else process.exit(Number(code));`,
  })) {
    mkdirSync(path.dirname(path.join(clone, file)), { recursive: true });
    writeFileSync(path.join(clone, file), text);
  }
  mkdirSync(path.join(clone, 'packages/vivace/bin'));
  mkdirSync(path.join(clone, 'node_modules'));
  symlinkSync(path.dirname(process.execPath), path.join(clone, 'node_modules/.node'));
  const launcher = path.join(clone, 'packages/vivace/bin/vivace.mjs');
  cpSync(path.resolve(import.meta.dirname, '../../bin/vivace.mjs'), launcher);
  const run = (...argv: string[]) => spawnSync(process.execPath, [launcher, ...argv], { encoding: 'utf8' });
  expect(run('3')).toMatchObject({ status: 3, stdout: '["3"]', stderr: 'ready ' });
  expect(run('0', 'SIGTERM')).toMatchObject({ status: null, signal: 'SIGTERM' });
  writeFileSync(path.join(clone, 'packages/setup/setup.mjs'), 'process.exit(4)');
  expect(run('0')).toMatchObject({ status: 4, stdout: '' });
});
