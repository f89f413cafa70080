import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Config } from '@vivace/config';
import { type Clock, listenError, seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './cli.ts';
import type { Compose, Running } from './running.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vivace-cli-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Session {
  stdout: string;
  stderr: string;
  code: Promise<number>;
  signal: (name: 'SIGTERM' | 'SIGINT') => void;
  exits: number[];
  started: Promise<Config>;
}

function start(
  argv: string[],
  options: { compose?: Compose; env?: Record<string, string>; clock?: Clock } = {},
): Session {
  const started = Promise.withResolvers<Config>();
  const compose: Compose = async (config, context) => {
    const running = await (options.compose ?? composeNothing)(config, context);
    started.resolve(config);
    return running;
  };
  let signal: Session['signal'] = () => {};
  const session: Session = {
    stdout: '',
    stderr: '',
    exits: [],
    signal: (name) => signal(name),
    started: started.promise,
    code: Promise.resolve(0),
  };
  session.code = runCli({
    argv,
    env: options.env ?? {},
    stdout: { write: (text) => void (session.stdout += text) },
    stderr: { write: (text) => void (session.stderr += text) },
    clock: options.clock ?? { ...systemClock, sleep: () => new Promise(() => {}) },
    random: seededRandom(1),
    loadCompose: async () => compose,
    onSignal: (handler) => {
      signal = handler;
    },
    exit: (code) => void session.exits.push(code),
  });
  return session;
}

const nothing: Running = {
  addresses: { http: '127.0.0.1:3200', otlpGrpc: '127.0.0.1:4317', otlpHttp: '127.0.0.1:4318' },
  notices: [],
  stop: async () => {},
};
const composeNothing: Compose = async () => nothing;

async function printed(session: Session): Promise<void> {
  await session.started;
  await expect.poll(() => session.stdout).toContain('is ready');
}

test('help and version are printed without starting anything', async () => {
  const help = start(['--http-port', '1', '-h']);
  expect(await help.code).toBe(0);
  expect(help.stdout).toMatch(/--data-dir DIR[^]*--config FILE[^]*--help/);
  const version = start(['--version']);
  expect(await version.code).toBe(0);
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(help.stderr + version.stderr).toBe('');
});

test.each([
  [['--htp-port', '1'], 'vivace: unknown flag --htp-port: did you mean --http-port?\n'],
  [['--frobnicate'], 'vivace: unknown flag --frobnicate: see --help\n'],
  [['--http-port'], 'vivace: --http-port needs a value: --http-port PORT\n'],
  [['--http-port', '--bind', 'x'], 'vivace: --http-port needs a value: --http-port PORT\n'],
  [['--help=1'], 'vivace: --help takes no value\n'],
  [['serve'], "vivace: unexpected argument 'serve': only flags are understood, see --help\n"],
  [['--http-port=x'], "vivace: --http-port must be a port from 0 to 65535: 'x'\n"],
])('the command line %j is refused with exit code 2', async (argv, message) => {
  const session = start(argv);
  expect(await session.code).toBe(2);
  expect(session.stderr).toBe(message);
});

test.each([
  [
    ['1'],
    { npm_config_http_port: 'true' },
    'vivace: npm kept --http-port for itself: put -- before the flags, npm start -- --http-port 1\n',
  ],
  [
    [],
    { npm_config_data_dir: '/x' },
    'vivace: npm kept --data-dir for itself: put -- before the flags, npm start -- --data-dir /x\n',
  ],
  [['a', 'b'], { npm_config_config: 'true', npm_config_bind: 'true' }, 'npm start -- --bind a --config b\n'],
  [['1'], {}, "vivace: unexpected argument '1': flags go after --, as in npm start -- --data-dir DIR\n"],
])('flags that npm swallowed are noticed: %j with %j', async (argv, swallowed, message) => {
  const env = { npm_lifecycle_event: 'start', npm_command: 'start', ...swallowed };
  const session = start(argv, { env });
  expect(await session.code).toBe(2);
  expect(session.stderr).toContain(message);
});

test('what a .npmrc says about a target version is not taken for a flag', async () => {
  const env = { npm_lifecycle_event: 'start', npm_command: 'start', npm_config_target: '30.0.1' };
  const session = start([], { env });
  await printed(session);
  session.signal('SIGTERM');
  expect(await session.code).toBe(0);
});

test('settings reach the services from file, environment and flags', async () => {
  const file = path.join(directory, 'vivace.yaml');
  writeFileSync(file, 'multitenancy_enabled: true\nserver: { http_listen_port: 1 }\n');
  const session = start(['--config', file, '--http-port=7', '--data-dir', directory], {
    env: { VIVACE_LIMITS_MAX_TENANTS: '9' },
  });
  const config = await session.started;
  expect(config.multitenancy_enabled).toBe(true);
  expect(config.server.http_listen_port).toBe(7);
  expect(config.limits.max_tenants).toBe(9);
  expect(config.storage.trace.wal.path).toBe(path.join(directory, 'wal'));
  session.signal('SIGINT');
  expect(await session.code).toBe(0);
});

test('a configuration that is missing or wrong is one line and exit code 1', async () => {
  const missing = start(['--config', '/nowhere/vivace.yaml']);
  expect(await missing.code).toBe(1);
  expect(missing.stderr).toBe(
    'vivace: the configuration file /nowhere/vivace.yaml cannot be read (ENOENT): check the path after --config\n',
  );
  const file = path.join(directory, 'vivace.yaml');
  writeFileSync(file, 'server:\n  http_listen_prot: 1\n');
  const wrong = start(['--config', file]);
  expect(await wrong.code).toBe(1);
  expect(wrong.stderr).toBe(
    `vivace: ${file}:2: unknown key 'server.http_listen_prot': did you mean 'server.http_listen_port'?\n`,
  );
});

test('a failed start is one line with the remedy, and with --log-level debug the stack', async () => {
  const compose: Compose = async () => {
    throw new VivaceError(
      'unavailable',
      'data-locked',
      'the data directory is locked by process 7:\n stop it, or choose another with --data-dir',
    );
  };
  const quiet = start([], { compose });
  expect(await quiet.code).toBe(1);
  expect(quiet.stderr).toBe(
    'vivace: the data directory is locked by process 7: stop it, or choose another with --data-dir\n',
  );
  const debug = start(['--log-level', 'debug'], { compose });
  expect(await debug.code).toBe(1);
  expect(debug.stderr).toMatch(/^vivace: the data directory is locked.*\nVivaceError: [^]*cli\.test\.ts/);
});

test('a port that is taken is said with the flag that chooses another', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  const compose: Compose = async () => {
    const second = createServer();
    await new Promise((resolve, reject) =>
      second
        .once('error', (error) => reject(listenError(error, { host: '127.0.0.1', port, portFlag: '--http-port' })))
        .listen(port, '127.0.0.1', () => resolve(undefined)),
    );
    return nothing;
  };
  const session = start([], { compose });
  expect(await session.code).toBe(1);
  expect(session.stderr).toBe(
    `vivace: port ${port} on 127.0.0.1 is taken by another program: stop it, or choose another port with --http-port (0 picks a free one)\n`,
  );
  taken.close();
});

test('a failure nobody foresaw is called a defect and shows no stack', async () => {
  const compose: Compose = async () => {
    throw new TypeError('x is undefined');
  };
  const session = start([], { compose });
  expect(await session.code).toBe(1);
  expect(session.stderr).toBe(
    'vivace: unexpected failure (x is undefined): this is a defect, --log-level debug shows where\n',
  );
});

test('a stop during the start ends the start', async () => {
  const compose: Compose = (_config, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const session = start([], { compose });
  await new Promise((resolve) => setImmediate(resolve));
  session.signal('SIGTERM');
  expect(await session.code).toBe(0);
  expect(session.stdout).toBe('');
});

test('a stop is graceful, a second signal leaves at once, unless it is the same key press handed on by npm', async () => {
  const stopped = Promise.withResolvers<void>();
  let nowMs = 1_000;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs, sleep: () => new Promise(() => {}) };
  const session = start([], { clock, compose: async () => ({ ...nothing, stop: () => stopped.promise }) });
  await printed(session);
  session.signal('SIGINT');
  nowMs += 20;
  session.signal('SIGINT');
  expect(session.exits).toEqual([]);
  nowMs += 2_000;
  session.signal('SIGINT');
  expect(session.exits).toEqual([130]);
  stopped.resolve();
  expect(await session.code).toBe(0);
});

test('a stop that takes longer than 30 s is cut off with exit code 1, and a stop that fails is exit code 1', async () => {
  const sleeps: number[] = [];
  const clock: Clock = { ...systemClock, sleep: async (ms) => void sleeps.push(ms) };
  const hanging = start([], { clock, compose: async () => ({ ...nothing, stop: () => new Promise(() => {}) }) });
  await printed(hanging);
  hanging.signal('SIGTERM');
  await expect.poll(() => hanging.exits).toEqual([1]);
  expect(sleeps).toEqual([30_000]);
  expect(hanging.stderr).toContain('the stop took longer than 30 s');

  const failing = start([], {
    compose: async () => ({ ...nothing, stop: () => Promise.reject(new Error('flush failed')) }),
  });
  await printed(failing);
  failing.signal('SIGTERM');
  expect(await failing.code).toBe(1);
  expect(failing.stderr).toContain('flush failed');
});

test('the ready line of the log carries the bound addresses for programs', async () => {
  const session = start([]);
  await printed(session);
  const ready = session.stderr
    .split('\n')
    .map((line) => (line === '' ? {} : (JSON.parse(line) as Record<string, unknown>)));
  expect(ready).toContainEqual(
    expect.objectContaining({ msg: 'ready', http: '127.0.0.1:3200', otlpHttp: '127.0.0.1:4318' }),
  );
  session.signal('SIGTERM');
  await session.code;
});
