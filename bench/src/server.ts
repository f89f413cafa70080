import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { Clock } from '@vivace/kernel';
import { call } from './http.ts';
import { processTreesReadable, readTree } from './process-tree.ts';

/** A server to be measured. */
export interface Server {
  /** Root of the Tempo API. */
  api: URL;
  /** Where traces are posted, `…/v1/traces`. */
  otlp: URL;
  /** Root of its process tree, if it is known. */
  pid: number | undefined;
}

/** User and system time of its process tree so far; undefined where that cannot be read. */
export function cpuSeconds({ pid }: Server): number | undefined {
  return pid === undefined || !processTreesReadable() ? undefined : readTree(pid)?.cpuSeconds;
}

export interface OwnServer extends Server {
  pid: number;
  /** How long the start took until `/ready` said so. */
  startMs: number;
  /** Aborted when the server ends before it was asked to. */
  died: AbortSignal;
  /** The last of what it printed. */
  output(): string;
  /** Asks it to stop and waits; kills it after 60 s. */
  stop(): Promise<void>;
}

export interface StartOptions {
  dataDir: string;
  /** One tenant a request, by header. */
  tenants: boolean;
  clock: Clock;
  signal: AbortSignal;
  /** Settings beside those of `npm start`. */
  env?: Record<string, string>;
  /** One of the services of a split deployment (default all of them). */
  target?: string;
}

/** One process of Vivace. */
export interface OwnProcess extends Omit<OwnServer, 'otlp'> {
  /** Only of one that takes traces. */
  otlp: URL | undefined;
  /** Where other processes call it, host and port; undefined where none does. */
  calls: string | undefined;
}

const MAIN = path.resolve(import.meta.dirname, '../../packages/vivace/src/main.ts');
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 16_384;

/** Starts Vivace on free ports with everything under `dataDir`, as `npm start` does, and waits until it is ready. */
export async function startServer(options: StartOptions): Promise<OwnServer> {
  const started = await startProcess(options);
  const { otlp } = started;
  if (otlp === undefined) throw new Error(`--target ${options.target ?? 'all'} takes no traces`);
  return { ...started, otlp };
}

export async function startProcess({
  dataDir,
  tenants,
  clock,
  signal,
  env = {},
  target = 'all',
}: StartOptions): Promise<OwnProcess> {
  const startedMs = clock.monotonicMs();
  const ports = ['http', 'otlp-http', 'otlp-grpc', 'grpc'].flatMap((name) => [`--${name}-port`, '0']);
  const args = [MAIN, '--target', target, '--data-dir', dataDir, '--log-level', 'warn', ...ports];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(tenants && { VIVACE_MULTITENANCY_ENABLED: 'true' }), ...env },
  });
  const output = collectOutput(child);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const death = new AbortController();
  const onDeath = () => death.abort(new Error(`the server ended by itself:\n${output()}`));
  child.once('exit', onDeath);
  const stop = () => {
    child.off('exit', onDeath);
    return stopChild(child, exited, clock);
  };
  try {
    const { api, otlp, calls } = await addresses(child, output, clock, signal);
    await untilReady(api, child, output, clock, signal);
    const startMs = clock.monotonicMs() - startedMs;
    return { api, otlp, calls, pid: child.pid as number, startMs, died: death.signal, output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The last of what the child printed; what does not fit is forgotten, so that a long run needs no memory. */
function collectOutput(child: ChildProcess): () => string {
  let text = '';
  const add = (part: Buffer) => {
    text = (text + part.toString('utf8')).slice(-MAX_OUTPUT);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  return () => text;
}

async function addresses(
  child: ChildProcess,
  output: () => string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Pick<OwnProcess, 'api' | 'otlp' | 'calls'>> {
  const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    // It is printed at once, and the first line says that all of it is there.
    const report = /^Vivace .* is ready\n\n((?: {2}.*\n)+)/m.exec(output())?.[1] ?? '';
    const api = /^ *HTTP(?: API)? +(\S+)/m.exec(report)?.[1];
    if (api !== undefined) {
      const otlp = /^ *OTLP HTTP +(\S+)/m.exec(report)?.[1];
      const calls = /^ *Calls +(\S+)/m.exec(report)?.[1];
      return { api: new URL(api), otlp: otlp === undefined ? undefined : new URL(otlp), calls };
    }
    checkAlive(child, output, deadlineMs, clock);
    await clock.sleep(20, signal);
  }
}

async function untilReady(
  api: URL,
  child: ChildProcess,
  output: () => string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + START_TIMEOUT_MS;
  for (;;) {
    const { status } = await call(new URL('/ready', api), { signal }).catch(() => ({ status: 0 }));
    if (status === 200) return;
    checkAlive(child, output, deadlineMs, clock);
    await clock.sleep(20, signal);
  }
}

function checkAlive(child: ChildProcess, output: () => string, deadlineMs: number, clock: Clock): void {
  const ended = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  if (ended) throw new Error(`the server ended before it was ready:\n${output()}`);
  if (clock.monotonicMs() > deadlineMs) throw new Error(`the server was not ready after 60 s:\n${output()}`);
}

async function stopChild(child: ChildProcess, exited: Promise<void>, clock: Clock): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const cancel = clock.after(STOP_TIMEOUT_MS, () => child.kill('SIGKILL'));
  await exited;
  cancel();
}
