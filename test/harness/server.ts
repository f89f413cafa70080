import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The program that `npm start` runs. */
export const mainFile = fileURLToPath(new URL('../../packages/vivace/src/main.ts', import.meta.url));
const READY_TIMEOUT_MS = 30_000;

/** A Vivace that runs as a process of its own, as a user's does. */
export interface TestServer {
  readonly pid: number;
  readonly dataDir: string;
  /** `http://127.0.0.1:…` of the API and of OTLP over HTTP, `127.0.0.1:…` of OTLP over gRPC; empty where it has none. */
  readonly http: string;
  readonly otlpHttp: string;
  readonly otlpGrpc: string;
  /** `127.0.0.1:…` at which other processes call it; empty where they do not. */
  readonly grpc: string;
  /** Everything it has written, for the message of a failed test. */
  output(): string;
  /** SIGKILL: what a crash is. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export interface TestServerOptions {
  dataDir: string;
  flags?: readonly string[];
  env?: Record<string, string>;
  /** A command that runs the one that follows it. */
  launcher?: readonly string[];
  /** Default: 30 s. */
  readyTimeoutMs?: number;
  /** Told of the process before it is ready. */
  onSpawn?: (child: ChildProcess) => void;
}

/** Servers and directories must not outlive their test, however that ends. */
const running = new Set<ChildProcess>();
const directories = new Set<string>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

export function temporaryDirectory(): { path: string; remove: () => void } {
  const directory = mkdtempSync(path.join(tmpdir(), 'vivace-test-'));
  directories.add(directory);
  const remove = () => {
    rmSync(directory, { recursive: true, force: true });
    directories.delete(directory);
  };
  return { path: directory, remove };
}

/** Starts a server on free ports and waits until it says that it is ready; throws with its output when it ends before. */
export async function startServer({
  dataDir,
  flags = [],
  env = {},
  launcher = [],
  readyTimeoutMs = READY_TIMEOUT_MS,
  onSpawn,
}: TestServerOptions): Promise<TestServer> {
  const ports = ['--http-port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0', '--grpc-port', '0'];
  const command = [...launcher, process.execPath, mainFile, '--data-dir', dataDir, ...ports, ...flags];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      VIVACE_SERVER_LOG_FORMAT: 'json',
      VIVACE_INGESTER_WARM_UP: 'false',
      VIVACE_QUERIER_WARM_UP: 'false',
      ...env,
    },
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  onSpawn?.(child);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const addresses = await readyAddresses(child, exited, () => output, readyTimeoutMs);
  return {
    pid: child.pid as number,
    dataDir,
    http: `http://${addresses.http}`,
    otlpHttp: addresses.otlpHttp === undefined ? '' : `http://${addresses.otlpHttp}`,
    otlpGrpc: addresses.otlpGrpc ?? '',
    grpc: addresses.grpc ?? '',
    output: () => output,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

interface Addresses {
  http: string;
  otlpHttp?: string;
  otlpGrpc?: string;
  grpc?: string;
}

/** The addresses that the line `ready` of its log tells. */
async function readyAddresses(
  child: ChildProcess,
  exited: Promise<number | null>,
  output: () => string,
  timeoutMs: number,
): Promise<Addresses> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline && !ended) {
    for (const line of output().split('\n')) {
      if (!line.startsWith('{') || !line.includes('"ready"')) continue;
      const entry = JSON.parse(line) as Addresses & { msg?: string };
      if (entry.msg === 'ready') return entry;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not get ready in ${timeoutMs / 1000} s:\n${output()}`);
}
