import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { readTree } from '../process-tree.ts';
import type { RunContext } from '../run-context.ts';
import { type OwnProcess, startProcess } from '../server.ts';

/** Vivace on a bucket, in however many processes. */
export interface Deployment {
  /** Where queries go. */
  api: URL;
  /** Where traces go, `…/v1/traces`. */
  otlp: URL;
  /** Where `/flush` cuts what is in the heads. */
  ingester: URL;
  /** User and system time of its processes so far; undefined where that cannot be read. */
  cpuSeconds(): number | undefined;
  stop(): Promise<void>;
}

/** Everything in one process. */
export async function startSingle(context: RunContext, env: Record<string, string>): Promise<Deployment> {
  const all = await start(context, env, 'all');
  return deployment([all], { api: all, otlp: all, ingester: all });
}

/** One process a service, those that are called before those that call them. */
export async function startSplit(context: RunContext, env: Record<string, string>): Promise<Deployment> {
  const started: OwnProcess[] = [];
  const next = async (target: string, more: Record<string, string> = {}): Promise<OwnProcess> => {
    const one = await start(context, { ...env, ...more }, target);
    started.push(one);
    return one;
  };
  try {
    const ingester = await next('ingester');
    const ingesters = { VIVACE_INGESTER_CLIENT_ADDRESSES: ingester.calls as string };
    const distributor = await next('distributor', ingesters);
    const querier = await next('querier', ingesters);
    const frontend = await next('query-frontend', { VIVACE_QUERIER_CLIENT_ADDRESSES: querier.calls as string });
    await next('compactor');
    return deployment(started, { api: frontend, otlp: distributor, ingester });
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

async function start(
  { workDir, clock, signal }: RunContext,
  env: Record<string, string>,
  target: string,
): Promise<OwnProcess> {
  const dataDir = await mkdtemp(path.join(workDir, `${target}-`));
  return startProcess({ dataDir, tenants: false, clock, signal, env, target });
}

function deployment(
  processes: readonly OwnProcess[],
  { api, otlp, ingester }: Record<'api' | 'otlp' | 'ingester', OwnProcess>,
): Deployment {
  return {
    api: api.api,
    otlp: otlp.otlp as URL,
    ingester: ingester.api,
    cpuSeconds: () => {
      let sum = 0;
      for (const { pid } of processes) {
        const seconds = readTree(pid)?.cpuSeconds;
        if (seconds === undefined) return undefined;
        sum += seconds;
      }
      return sum;
    },
    stop: () => stopAll(processes),
  };
}

/** Those that call before those that are called. */
async function stopAll(processes: readonly OwnProcess[]): Promise<void> {
  for (const one of processes.toReversed()) await one.stop();
}
