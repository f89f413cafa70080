import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';

const MAIN = path.join(import.meta.dirname, 'main.ts');
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function emptyDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'vivace-compiled-'));
  directories.push(directory);
  return directory;
}

/** Starts the program, which ends at once. */
function run(env: Record<string, string>): void {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--version'], { env: { ...process.env, ...env } });
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
}

test('what a start compiles is there for the next one', () => {
  const directory = emptyDirectory();
  run({ NODE_COMPILE_CACHE: directory });
  expect(readdirSync(directory, { recursive: true }).length).toBeGreaterThan(10);
});

test('nothing is kept where Node is told not to', () => {
  const directory = emptyDirectory();
  run({ NODE_COMPILE_CACHE: directory, NODE_DISABLE_COMPILE_CACHE: '1' });
  expect(readdirSync(directory)).toEqual([]);
});

test('a place where nothing can be kept is no failure', () => {
  const file = path.join(emptyDirectory(), 'file');
  writeFileSync(file, '');
  run({ NODE_COMPILE_CACHE: file });
});
