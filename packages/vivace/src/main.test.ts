import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

function run(script: string, ...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env.PATH };
  return spawnSync(process.execPath, [path.join(import.meta.dirname, script), ...argv], { env, encoding: 'utf8' });
}

test('the program answers --version without loading a service, on stdout alone', () => {
  expect(run('main.ts', '--version')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
  });
});

test('exit codes of both programs reach the caller, with one line on stderr', () => {
  expect(run('main.ts', '--htp-port=1')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: 'vivace: unknown flag --htp-port: did you mean --http-port?\n',
  });
  expect(run('main.ts', '--config', '/nowhere')).toMatchObject({ status: 1, stdout: '' });
  expect(run('demo.ts', '--otlp-http-url', 'http://127.0.0.1:1')).toMatchObject({ status: 1, stdout: '' });
});
