import { askedOf, askGroups, type GroupResult } from '../ask.ts';
import { lookUpTraces } from '../by-id.ts';
import { suiteOf } from '../query-suite.ts';
import { startCountedBucket } from '../requests/counted-bucket.ts';
import { flush } from '../run.ts';
import type { RunContext } from '../run-context.ts';
import { sendRequests } from '../send-requests.ts';
import { alignColumns, format } from '../table.ts';
import { type Deployment, startSingle, startSplit } from './deployments.ts';

/** What was measured of a deployment. */
interface Measured {
  /** Of all processes, from a span's first byte to its block. */
  cpuMicrosPerSpan: number | undefined;
  spansPerSecond: number;
  /** p50 in milliseconds, by what was read. */
  reads: Map<string, number>;
  complaints: string[];
}

export interface SplitResult {
  single: Measured;
  split: Measured;
  complaints: string[];
}

const PASSES = ['at first', 'again'];

/** About what S3 takes for a small put, in its own region. */
const PUT_LATENCY_MS = 40;

/**
 * The same work on a bucket by one process, then by one process a service. Half of the data makes the code warm, the
 * other half is measured; then traces are read from blocks, and once more after a tenth was sent again, which lies in
 * heads.
 */
export async function runSplit(context: RunContext): Promise<SplitResult> {
  const single = await measureOn(context, startSingle, 'one process');
  const split = await measureOn(context, startSplit, 'split');
  const complaints = [...single.complaints, ...split.complaints];
  return { single, split, complaints };
}

async function measureOn(
  context: RunContext,
  start: (context: RunContext, env: Record<string, string>) => Promise<Deployment>,
  name: string,
): Promise<Measured> {
  const bucket = await startCountedBucket(PUT_LATENCY_MS);
  try {
    const deployment = await start(context, { ...bucket.env, VIVACE_QUERIER_KEEP_PARTIALS: 'false' });
    try {
      return await measure(context, deployment, name);
    } finally {
      await deployment.stop();
    }
  } finally {
    await bucket.close();
  }
}

async function measure(context: RunContext, deployment: Deployment, name: string): Promise<Measured> {
  const { options, dataset, clock, signal } = context;
  const requests = dataset.phases.flat();
  const half = Math.floor(requests.length / 2);
  const complaints: string[] = [];
  const settle = async () => {
    await flush(deployment.ingester, signal);
    await clock.sleep(options.settleMs, signal);
  };
  const send = async (from: number, to: number) => {
    const sent = await sendRequests(context, `${name}, loading`, deployment.otlp, requests.slice(from, to));
    const { refusedSpans, rejectedSpans, firstReason } = sent;
    if (refusedSpans + rejectedSpans > 0)
      complaints.push(`${refusedSpans + rejectedSpans} spans were not accepted: ${firstReason}`);
    return sent;
  };
  await send(0, half);
  await settle();
  const before = deployment.cpuSeconds();
  const { acceptedSpans, spansPerSecond } = await send(half, requests.length);
  await settle();
  const after = deployment.cpuSeconds();
  const reads = new Map<string, number>();
  await read(context, deployment, name, 'blocks', reads, complaints);
  await send(0, Math.floor(requests.length / 10));
  await read(context, deployment, name, 'heads too', reads, complaints);
  const cpuMicrosPerSpan =
    before === undefined || after === undefined ? undefined : ((after - before) * 1e6) / acceptedSpans;
  return { cpuMicrosPerSpan, spansPerSecond, reads, complaints: complaints.map((text) => `${name}: ${text}`) };
}

/**
 * Traces by id and the query suite, all of it twice: each process has to compile what it runs for its first hundreds of
 * questions, and the split has more of them, so that how it is at first and how it stays are two figures.
 */
async function read(
  { options, dataset, clock, signal, progress }: RunContext,
  { api, otlp }: Deployment,
  name: string,
  where: string,
  reads: Map<string, number>,
  complaints: string[],
): Promise<void> {
  const sample = dataset.truth.sample.slice(0, options.samples);
  const onProgress = (count: number) => progress.add(count);
  const groups = suiteOf(dataset.truth, clock.nowMs());
  const server = { api, otlp, pid: undefined };
  for (const pass of PASSES) {
    progress.begin(`${name}, reading ${where}, ${pass}`, sample.length + askedOf(groups, options.queries));
    const found = await lookUpTraces(sample, 'v1', { api, tenants: false, signal, onProgress });
    complaints.push(...found.complaints);
    reads.set(`by id, ${where}, ${pass}`, found.latency.p50Ms);
    for (const group of await askGroups(server, groups, options.queries, { tenants: false, signal, onProgress })) {
      complaints.push(...complaintsOf(group));
      reads.set(`${group.name}, ${where}, ${pass}`, group.latency.p50Ms);
    }
    progress.end();
  }
}

function complaintsOf({ name, asked, right, complaints }: GroupResult): string[] {
  return right === asked ? [] : [`${name}: ${right} of ${asked} right`, ...complaints];
}

/** Medians are of p50s; a ratio is of one run, so that both sides had the same machine. */
export function splitRows(runs: readonly SplitResult[], middle: (values: readonly number[]) => number): string[] {
  const row = (name: string, digits: number, valueOf: (measured: Measured) => number | undefined): string[] => {
    const of = (which: 'single' | 'split') => runs.map((run) => valueOf(run[which]) ?? Number.NaN);
    const single = of('single');
    const split = of('split');
    const ratios = split.map((value, i) => value / (single[i] as number));
    return [name, format(middle(single), digits), format(middle(split), digits), format(middle(ratios), 2)];
  };
  const names = [...(runs[0]?.single.reads.keys() ?? [])];
  return alignColumns(
    [
      ['', 'one process', 'split', 'ratio'],
      row('processor, µs a span', 2, ({ cpuMicrosPerSpan }) => cpuMicrosPerSpan),
      row('accepted, spans/s', 0, ({ spansPerSecond }) => spansPerSecond),
      ...names.map((name) => row(`${name}, p50 ms`, 2, ({ reads }) => reads.get(name))),
    ],
    new Set([0]),
  );
}
