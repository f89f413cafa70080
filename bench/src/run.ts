import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { seededRandom } from '@vivace/kernel';
import type { GroupResult } from './ask.ts';
import { countTraces, type LookupOptions, type Lookups, lookUpAbsent, lookUpGiant, lookUpTraces } from './by-id.ts';
import { sentText } from './dataset-file.ts';
import { type Freshness, type FreshnessOptions, probeFreshness } from './freshness.ts';
import { bodyText, call } from './http.ts';
import type { LoadResult } from './load.ts';
import { processTreesReadable, type TreeWatch, watchTree } from './process-tree.ts';
import { runQueries } from './query-suite.ts';
import type { RunContext } from './run-context.ts';
import { sendRequests } from './send-requests.ts';
import { type OwnServer, type Server, startServer } from './server.ts';
import { measureBlocks, measureStored, type Stored, type StoredBlocks } from './stored.ts';

/** Everything one run found; what could not be measured is undefined. */
export interface RunResult {
  /** One a phase of the dataset. */
  loads: LoadResult[];
  acceptedSpans: number;
  spansPerSecond: number;
  /** From the first byte sent until the settling time after the last flush. */
  cpuSeconds: number | undefined;
  spansPerCpuSecond: number | undefined;
  peakRssBytes: number | undefined;
  flushMs: number;
  stored: Stored | undefined;
  storedBytesPerSpan: number | undefined;
  blocks: StoredBlocks | undefined;
  freshLoaded: Freshness;
  freshIdle: Freshness;
  /** As the two before, asked by TraceQL. */
  searchLoaded: Freshness;
  searchIdle: Freshness;
  /** One a group of questions; empty where none were asked. */
  queries: GroupResult[];
  restartMs: number | undefined;
  cold: Lookups | undefined;
  warm: Lookups;
  v2: Lookups;
  absent: Lookups;
  counted: { asked: number; whole: number; complaints: string[] };
  giant: Awaited<ReturnType<typeof lookUpGiant>> | undefined;
  /** What was wrong, if anything. */
  complaints: string[];
}

const IDLE_PROBES = 20;
const V2_SAMPLES = 20;

/** One run: start, load, flush, settle, weigh, restart, look up. */
export async function runOnce(context: RunContext): Promise<RunResult> {
  const { options, clock, signal } = context;
  const tenants = options.dataset.tenants > 1;
  if (options.target !== undefined) return measure(context, options.target, options.target.dataDir);
  const dataDir = await mkdtemp(path.join(context.workDir, 'data-'));
  let server: OwnServer | undefined = await startServer({ dataDir, tenants, clock, signal });
  const running = { ...context, signal: AbortSignal.any([signal, server.died]) };
  const restart = async <Stopped>(whileStopped: () => Promise<Stopped>) => {
    await server?.stop();
    server = undefined;
    const stopped = await whileStopped();
    server = await startServer({ dataDir, tenants, clock, signal });
    return { server, stopped };
  };
  try {
    return await measure(running, server, dataDir, restart);
  } catch (error) {
    const said = (server as OwnServer | undefined)?.output() ?? '';
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nthe server said:\n${said}`, {
      cause: error,
    });
  } finally {
    await server?.stop();
    if (!options.keep) await rm(dataDir, { recursive: true, force: true });
  }
}

/** Stops the server, does something meanwhile, and starts it again. */
type Restart = <Stopped>(whileStopped: () => Promise<Stopped>) => Promise<{ server: OwnServer; stopped: Stopped }>;

async function measure(
  context: RunContext,
  server: Server,
  dataDir: string | undefined,
  restart?: Restart,
): Promise<RunResult> {
  const { options, dataset, clock, signal, progress } = context;
  const watch = server.pid !== undefined && processTreesReadable() ? watchTree(server.pid, clock) : undefined;
  const { loads, freshLoaded, searchLoaded, flushMs } = await loadAll(context, server);
  progress.begin('settling', 1);
  await clock.sleep(options.settleMs, signal);
  progress.end();
  const usage = (watch as TreeWatch | undefined)?.stop();
  const stored = dataDir === undefined ? undefined : await measureStored(dataDir);
  const blocksOf = () => measureBlocks(dataDir as string, context);
  const { server: restarted, stopped: blocks } = (await restart?.(blocksOf)) ?? {};
  const now = restarted ?? server;
  const nowSignal = restarted === undefined ? signal : AbortSignal.any([signal, restarted.died]);
  const lookups: LookupOptions = {
    api: now.api,
    tenants: options.dataset.tenants > 1,
    signal: nowSignal,
    onProgress: (count) => progress.add(count),
    sentText: (traceId, spanId) => sentText(dataset, traceId, spanId),
  };
  const reads = await lookUpAll(context, lookups, restarted !== undefined);
  const again = restart && (async () => (await restart(async () => undefined)).server);
  const { results: queries, server: last } = await runQueries({ ...context, signal: nowSignal }, now, again);
  // Last: what the probes send must not be in the way of what is measured before.
  const enough = (probes: number) => probes >= IDLE_PROBES;
  const freshIdle = await probeFreshness(freshnessOptions(context, last, 'id'), enough);
  const searchIdle = await probeFreshness(freshnessOptions(context, last, 'query'), enough);
  const acceptedSpans = loads.reduce((sum, result) => sum + result.acceptedSpans, 0);
  const loadMs = loads.reduce((sum, result) => sum + result.elapsedMs, 0);
  const result: RunResult = {
    loads,
    acceptedSpans,
    spansPerSecond: (acceptedSpans / loadMs) * 1000,
    cpuSeconds: usage?.cpuSeconds,
    spansPerCpuSecond: usage === undefined ? undefined : acceptedSpans / usage.cpuSeconds,
    peakRssBytes: usage?.peakRssBytes,
    flushMs,
    stored,
    storedBytesPerSpan: stored === undefined ? undefined : stored.totalBytes / dataset.truth.spans,
    blocks,
    freshLoaded,
    freshIdle,
    searchLoaded,
    searchIdle,
    queries,
    restartMs: restarted?.startMs,
    ...reads,
    complaints: [],
  };
  result.complaints = complaints(result);
  return result;
}

/** Sends each phase and flushes after it; a probe for freshness runs beside. */
async function loadAll(
  context: RunContext,
  server: Server,
): Promise<{ loads: LoadResult[]; freshLoaded: Freshness; searchLoaded: Freshness; flushMs: number }> {
  const { dataset, signal, progress } = context;
  let loading = true;
  const probing = Promise.all([
    probeFreshness(freshnessOptions(context, server, 'id'), () => !loading),
    probeFreshness(freshnessOptions(context, server, 'query'), () => !loading),
  ]);
  // Failures of the probes are reported when they are awaited; until then the load must not fall over them.
  probing.catch(() => {});
  const loads: LoadResult[] = [];
  let flushMs = 0;
  try {
    for (const [phase, requests] of dataset.phases.entries()) {
      const label = `loading${dataset.phases.length > 1 ? `, part ${phase + 1}` : ''}`;
      loads.push(await sendRequests(context, label, server.otlp, requests));
      if (phase === dataset.phases.length - 1) loading = false;
      progress.begin('flushing', 1);
      flushMs += await flush(server.api, signal);
      progress.end();
    }
  } finally {
    loading = false;
  }
  const [freshLoaded, searchLoaded] = await probing;
  return { loads, freshLoaded, searchLoaded, flushMs };
}

export async function flush(api: URL, signal: AbortSignal): Promise<number> {
  const answer = await call(new URL('/flush', api), { method: 'POST', signal });
  if (answer.status < 200 || answer.status > 299) {
    throw new Error(`POST /flush was answered ${answer.status}: ${bodyText(answer)}`);
  }
  return answer.ms;
}

async function lookUpAll(
  { options, dataset, progress }: RunContext,
  lookups: LookupOptions,
  fresh: boolean,
): Promise<Pick<RunResult, 'cold' | 'warm' | 'v2' | 'absent' | 'counted' | 'giant'>> {
  const sample = evenly(dataset.truth.sample, options.samples);
  progress.begin('by id, cold', sample.length);
  const cold = fresh ? await lookUpTraces(sample, 'v1', lookups) : undefined;
  progress.begin('by id, warm', sample.length);
  const warm = await lookUpTraces(sample, 'v1', lookups);
  const v2 = await lookUpTraces(evenly(sample, V2_SAMPLES), 'v2', lookups);
  progress.begin('by id, absent', options.samples);
  const absent = await lookUpAbsent(options.samples, seededRandom(options.dataset.seed ^ 0x0ab5e17), lookups);
  progress.begin('counting spans', options.count);
  const counted = await countTraces(dataset.truth, options.count, lookups);
  const { giant } = dataset.truth;
  const found = giant === undefined ? undefined : await lookUpGiant(giant, lookups);
  progress.end();
  return { cold, warm, v2, absent, counted, giant: found };
}

function freshnessOptions(
  { options, clock, random, signal }: RunContext,
  { api, otlp }: Server,
  by: 'id' | 'query',
): FreshnessOptions {
  return { api, otlp, tenants: options.dataset.tenants > 1, clock, random, signal, by };
}

/** `count` of the values, spread over all of them. */
function evenly<T>(values: readonly T[], count: number): T[] {
  if (count >= values.length) return [...values];
  return Array.from({ length: count }, (_, at) => values[Math.floor((at * values.length) / count)] as T);
}

/** What makes a run wrong, in words. */
function complaints(result: RunResult): string[] {
  const found: string[] = [];
  const refused = result.loads.reduce((sum, { refusedSpans, rejectedSpans }) => sum + refusedSpans + rejectedSpans, 0);
  const reason = result.loads.find(({ firstReason }) => firstReason !== undefined)?.firstReason;
  if (refused > 0) found.push(`${refused} spans were not accepted: ${reason}`);
  const passes = { cold: result.cold, warm: result.warm, v2: result.v2, absent: result.absent };
  for (const [name, pass] of Object.entries(passes)) {
    if (pass === undefined || pass.equal === pass.asked) continue;
    found.push(`by id, ${name}: ${pass.whole} of ${pass.asked} whole, ${pass.equal} equal`, ...pass.complaints);
  }
  const { counted, giant } = result;
  if (counted.whole < counted.asked) {
    found.push(`counted: ${counted.whole} of ${counted.asked} whole`, ...counted.complaints);
  }
  if (giant?.complaint !== undefined) found.push(`the giant trace: ${giant.complaint}`);
  const lost = result.freshLoaded.lost + result.freshIdle.lost;
  if (lost > 0) found.push(`${lost} acknowledged probes were not readable within 10 s`);
  const notFound = result.searchLoaded.lost + result.searchIdle.lost;
  if (notFound > 0) found.push(`${notFound} acknowledged probes were not found by a search within 10 s`);
  for (const { name, asked, right, complaints: wrong } of result.queries) {
    if (right < asked) found.push(`${name}: ${right} of ${asked} right`, ...wrong);
  }
  return found;
}
