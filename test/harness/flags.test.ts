import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseFlags } from './flags.ts';

const DEFAULTS = { minutes: 6, log: 'bucket', fair: false, report: undefined as string | undefined };

test('flags have the types of their defaults', () => {
  expect(parseFlags([], DEFAULTS)).toEqual(DEFAULTS);
  const args = ['--minutes', '0.5', '--log=disk', '--fair', '--report', 'file'];
  expect(parseFlags(args, DEFAULTS)).toEqual({ minutes: 0.5, log: 'disk', fair: true, report: 'file' });
});

test.each([
  [['--minutes', 'six'], '--minutes must be a number from 0: six'],
  [['--minutes='], '--minutes must be a number from 0: '],
  [['--minutes', '1e999'], '--minutes must be a number from 0: 1e999'],
  [['--minutes'], "Option '--minutes <value>' argument missing"],
  [['--fair=yes'], "Option '--fair' does not take an argument"],
  [['--seed', '1'], "Unknown option '--seed'"],
  [['6'], "Unexpected argument '6'"],
])('%j is refused', (args, message) => {
  expect(() => parseFlags(args, DEFAULTS)).toThrow(message);
});

test.each(['fuzz', 'soak', 'cluster'])('%s says what it takes, and what it does not', (name) => {
  const main = path.join(import.meta.dirname, '..', name, 'main.ts');
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  const help = run('--help');
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toMatch(/^usage: npm run .*--seed N/s);
  expect(run('--sed', '1')).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining("'--sed'") });
  expect(run('--seed', 'x').stderr).toBe(`--seed must be a number from 0: x\n\n${help.stdout}`);
});
