import { askedOf, askGroups, type GroupResult } from '../ask.ts';
import { lookUpTraces } from '../by-id.ts';
import type { StoredRequest } from '../dataset-file.ts';
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
}

export interface SplitResult {
  single: Measured;
  split: Measured;
  complaints: string[];
}

/** A deployment on a bucket of its own, and what is known of it so far. */
interface Side extends Measured {
  name: string;
  deployment: Deployment;
  complaints: string[];
}

/** Questions of a kind over heads, at most: some take a quarter of a second, and by then all code is warm. */
const MAX_HEAD_QUESTIONS = 60;

/** About what S3 takes for a small put, in its own region. */
const PUT_LATENCY_MS = 40;

/**
 * The same work by one process and by one process a service, each with a bucket. Half of the data makes the code warm, the
 * other half is measured; then traces are read from blocks, and once more after a tenth was sent again, which lies in
 * heads. Questions of a kind are put to one and then to the other: a machine that has others on it may be half as fast a
 * minute later.
 */
export async function runSplit(context: RunContext): Promise<SplitResult> {
  const stack = new AsyncDisposableStack();
  const sideOf = async (name: string, start: typeof startSingle): Promise<Side> => {
    const bucket = await startCountedBucket(PUT_LATENCY_MS);
    stack.defer(() => bucket.close());
    const deployment = await start(context, { ...bucket.env, VIVACE_QUERIER_KEEP_PARTIALS: 'false' });
    stack.defer(() => deployment.stop());
    return { name, deployment, cpuMicrosPerSpan: undefined, spansPerSecond: 0, reads: new Map(), complaints: [] };
  };
  try {
    const single = await sideOf('one process', startSingle);
    const split = await sideOf('split', startSplit);
    const sides = [single, split];
    for (const side of sides) await load(context, side);
    // Each process has to compile what it runs for its first hundreds of questions, and the split has more of them.
    const { queries } = context.options;
    await read(context, sides, 'blocks, at first', queries);
    await read(context, sides, 'blocks, again', queries);
    const requests = context.dataset.phases.flat();
    for (const side of sides) await send(context, side, requests.slice(0, requests.length / 10));
    await read(context, sides, 'heads too', Math.min(queries, MAX_HEAD_QUESTIONS));
    return { single, split, complaints: [...single.complaints, ...split.complaints] };
  } finally {
    await stack.disposeAsync();
  }
}

/** Sends all data, in two halves, of which the second is measured. */
async function load(context: RunContext, side: Side): Promise<void> {
  const { options, dataset, clock, signal } = context;
  const { deployment } = side;
  const requests = dataset.phases.flat();
  const half = Math.floor(requests.length / 2);
  const settle = async () => {
    await flush(deployment.ingester, signal);
    await clock.sleep(options.settleMs, signal);
  };
  await send(context, side, requests.slice(0, half));
  await settle();
  const before = deployment.cpuSeconds();
  const { acceptedSpans, spansPerSecond } = await send(context, side, requests.slice(half));
  await settle();
  const after = deployment.cpuSeconds();
  if (before !== undefined && after !== undefined) side.cpuMicrosPerSpan = ((after - before) * 1e6) / acceptedSpans;
  side.spansPerSecond = spansPerSecond;
}

async function send(context: RunContext, { name, deployment, complaints }: Side, requests: StoredRequest[]) {
  const sent = await sendRequests(context, `${name}, loading`, deployment.otlp, requests);
  const { refusedSpans, rejectedSpans, firstReason } = sent;
  if (refusedSpans + rejectedSpans > 0)
    complaints.push(`${name}: ${refusedSpans + rejectedSpans} spans were not accepted: ${firstReason}`);
  return sent;
}

/** Traces by id, and then the query suite, of which the first round of a kind does not count. */
async function read(
  { options, dataset, clock, signal, progress }: RunContext,
  sides: readonly Side[],
  where: string,
  queries: number,
): Promise<void> {
  const sample = dataset.truth.sample.slice(0, options.samples);
  const asking = { tenants: false, signal, onProgress: (count: number) => progress.add(count) };
  const groups = suiteOf(dataset.truth, clock.nowMs());
  progress.begin(`reading ${where}`, sides.length * (sample.length + askedOf(groups, queries)));
  for (const { name, deployment, reads, complaints } of sides) {
    const found = await lookUpTraces(sample, 'v1', { ...asking, api: deployment.api });
    complaints.push(...found.complaints.map((text) => `${name}: ${text}`));
    reads.set(`by id, ${where}`, found.latency.p50Ms);
  }
  for (const group of groups) {
    for (const { name, deployment, reads, complaints } of sides) {
      const server = { api: deployment.api, otlp: deployment.otlp, pid: undefined };
      for (const result of await askGroups(server, [group], queries, asking)) {
        complaints.push(...complaintsOf(result).map((text) => `${name}: ${text}`));
        reads.set(`${result.name}, ${where}`, result.latency.p50Ms);
      }
    }
  }
  progress.end();
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
