import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isLockFile, lockDirectory } from './directory-lock.ts';

let directory: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-lock-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await fs.rm(directory, { recursive: true });
});

const program = `
  import { lockDirectory } from ${JSON.stringify(path.join(import.meta.dirname, 'directory-lock.ts'))};
  try {
    await lockDirectory(process.argv[1]);
    console.log('locked');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.code + ': ' + error.message);
  }
`;

/** A process that tries to lock the directory, and its first line. */
async function start(options: { uid?: number } = {}): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, line: chunk.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a second process is told which one holds the directory', async () => {
  const first = await start();
  expect(first.line).toBe('locked');
  const second = await start();
  expect(second.line).toContain('directory-locked: the data directory is in use by process');
  expect(second.line).toContain(`process ${first.child.pid}:`);
  expect(second.line).toContain(directory);
  await expect(lockDirectory(directory)).rejects.toMatchObject({ kind: 'conflict', code: 'directory-locked' });
});

test('the lock of a process ended by kill -9 is free at once, for one of many', async () => {
  const first = await start();
  expect(first.line).toBe('locked');
  await kill(first.child);
  const lines = (await Promise.all([start(), start(), start(), start()])).map(({ line }) => line);
  expect(lines.filter((line) => line === 'locked').length).toBe(1);
  expect(lines.filter((line) => line.startsWith('directory-locked')).length).toBe(3);
});

test('a holder file that tells a living process means nothing without the lock', async () => {
  await fs.writeFile(path.join(directory, 'lock.holder'), `${process.ppid}\n`);
  const lock = await lockDirectory(directory);
  await lock.release();
});

test('one process locks a directory once, and again after a release', async () => {
  const lock = await lockDirectory(path.join(directory, 'made/on/the/way'));
  await expect(lockDirectory(path.join(directory, 'made/on/the/way'))).rejects.toMatchObject({
    code: 'directory-locked',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await lock.release();
  await lock.release();
  const again = await lockDirectory(path.join(directory, 'made/on/the/way'));
  await again.release();
});

test('a lock file that is something else is refused with a remedy', async () => {
  await fs.writeFile(path.join(directory, 'lock'), 'x'.repeat(5000));
  await expect(lockDirectory(directory)).rejects.toMatchObject({
    code: 'directory-unusable',
    message: expect.stringContaining('remove it'),
  });
});

test('a directory that cannot be is an error that says so', async () => {
  await fs.writeFile(path.join(directory, 'file'), '');
  await expect(lockDirectory(path.join(directory, 'file/data'))).rejects.toMatchObject({ code: 'directory-unusable' });
});

test('a directory that may not be written is refused with a remedy', async () => {
  await fs.chmod(directory, 0o555);
  // Nothing is forbidden to root: there the process runs as nobody.
  const { line } = await start(process.getuid?.() === 0 ? { uid: 65534 } : {});
  await fs.chmod(directory, 0o755);
  expect(line).toContain('access-denied: the data directory cannot be written (EACCES): check its owner and mode');
});

test('the files it leaves are known as its own, and no others', async () => {
  const lock = await lockDirectory(directory);
  const left = await fs.readdir(directory);
  expect(left).toContain('lock.holder');
  expect(left.filter((name) => !isLockFile(path.join(directory, name)))).toEqual([]);
  expect(isLockFile(path.join(directory, 'lock.txt'))).toBe(false);
  await lock.release();
});
