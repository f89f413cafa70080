import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { type S3Server, startS3Server } from '@vivace/object-store/testing';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mainFile, startServer, temporaryDirectory } from './harness/server.ts';

// What a person sees whose server does not start: one line that says what to do, and an exit code.

let data: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  data = temporaryDirectory();
});
afterEach(() => data.remove());

interface Failure {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function runToEnd(flags: readonly string[], env: Record<string, string> = {}): Promise<Failure> {
  const ports = ['--http-port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0'];
  const child = spawn(process.execPath, [mainFile, '--data-dir', data.path, ...ports, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const failure: Failure = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (failure.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (failure.stderr += text));
  const timeout = setTimeout(() => child.kill('SIGKILL'), 40_000);
  failure.code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timeout);
  return failure;
}

/** One line on stderr and nothing else anywhere. */
function expectOneLine(failure: Failure, code: number, line: RegExp): void {
  expect(failure).toMatchObject({ code, stdout: '' });
  expect(failure.stderr).toMatch(/^vivace: [^\n]+\n$/);
  expect(failure.stderr).toMatch(line);
  expect(failure.stderr).not.toMatch(/\bat .*:\d+:\d+|node:internal|\bdefect\b/);
}

describe('on this machine', () => {
  test.each(['--http-port', '--otlp-grpc-port', '--otlp-http-port'])('the port of %s is taken', async (flag) => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const failure = await runToEnd([flag, String(port)]);
      expectOneLine(failure, 1, new RegExp(`port ${port} .*taken.*stop.*${flag}`));
    } finally {
      other.close();
    }
  });

  test.each(['', 'wal', 'store'])('a file is where the data directory has to be: DIR/%s', async (name) => {
    const file = path.join(data.path, 'dir', name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, 'a file');
    const failure = await runToEnd(['--data-dir', path.join(data.path, 'dir')]);
    expectOneLine(failure, 1, /a file is where .* has to be: remove it or choose another directory/);
    expect(failure.stderr).toContain(path.join(data.path, 'dir'));
  });

  test('another Vivace has the data directory, and goes on serving', async () => {
    const other = await startServer({ dataDir: data.path });
    expectOneLine(await runToEnd([]), 1, new RegExp(`in use by process ${other.pid}: stop it or choose another`));
    expect((await fetch(`${other.http}/ready`)).status).toBe(200);
    expect(await other.stop()).toBe(0);
  });

  test('a flag that does not exist', async () => {
    expectOneLine(await runToEnd(['--data-dri', 'x']), 2, /unknown flag --data-dri: did you mean --data-dir\?/);
  });

  test('a key that does not exist in the configuration file, in a variable, and a file that is not there', async () => {
    const file = path.join(data.path, 'vivace.yaml');
    writeFileSync(file, 'server:\n  http_listen_prot: 1\n');
    expectOneLine(await runToEnd(['--config', file]), 1, /server\.http_listen_prot.*did you mean.*http_listen_port/);
    expectOneLine(await runToEnd([], { VIVACE_SERVER_LOG_LEVLE: 'x' }), 1, /VIVACE_SERVER_LOG_LEVLE.*did you mean/);
    expectOneLine(await runToEnd(['--config', `${file}.no`]), 1, /cannot be read.*check the path/);
  });
});

describe('with a bucket', () => {
  const servers: S3Server[] = [];
  const start = async (options: Parameters<typeof startS3Server>[0] = {}) => {
    const server = await startS3Server({ buckets: ['traces'], ...options });
    servers.push(server);
    return server;
  };
  afterAll(async () => {
    for (const server of servers) await server.close();
  });

  const environment = (endpoint: string, more: Record<string, string> = {}) => ({
    VIVACE_STORAGE_TRACE_BACKEND: 's3',
    VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces',
    VIVACE_STORAGE_TRACE_S3_ENDPOINT: endpoint,
    VIVACE_STORAGE_TRACE_S3_FORCEPATHSTYLE: 'true',
    AWS_ACCESS_KEY_ID: 'vivace-test',
    AWS_SECRET_ACCESS_KEY: 'vivace-test-secret',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...more,
  });

  test('that is missing', async () => {
    const { endpoint } = await start({ buckets: [] });
    expectOneLine(await runToEnd([], environment(endpoint)), 1, /bucket does not exist: create it.*traces/);
  });

  test('and a wrong secret, an unknown key, no credentials at all', async () => {
    const { endpoint } = await start();
    const run = (more: Record<string, string>) => runToEnd([], environment(endpoint, more));
    expectOneLine(await run({ AWS_SECRET_ACCESS_KEY: 'wrong' }), 1, /rejects the signature: correct the secret key/);
    expectOneLine(await run({ AWS_ACCESS_KEY_ID: 'nobody' }), 1, /does not know the access key: correct it/);
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', HOME: data.path };
    expectOneLine(await run(none), 1, /no credentials found: set AWS_ACCESS_KEY_ID/);
  });

  test('of a store without conditional writes', async () => {
    const { endpoint } = await start({ ignoreConditions: true });
    expectOneLine(await runToEnd([], environment(endpoint)), 1, /If-None-Match.*upgrade the store/);
  });

  test('whose missing keys we may not see', async () => {
    const { endpoint } = await start({ hideMissing: true });
    expectOneLine(await runToEnd([], environment(endpoint)), 1, /grant s3:ListBucket/);
  });

  test('of a store that does not answer', async () => {
    const gone = await start();
    await gone.close();
    expectOneLine(
      await runToEnd([], environment(gone.endpoint)),
      1,
      /did not answer \(ECONNREFUSED\).*: start the store at http.*storage\.trace\.s3\.endpoint/,
    );
  });
});
