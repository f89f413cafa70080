import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ask } from './ask.ts';
import type { StoredDataset } from './dataset-file.ts';
import { keepAlive } from './http.ts';
import type { LoadResult } from './load.ts';
import { listAt, pathOf, type Question, type Range } from './question.ts';
import { flush } from './run.ts';
import type { RunContext } from './run-context.ts';
import { sendRequests } from './send-requests.ts';
import { cpuSeconds, type Server, startServer } from './server.ts';
import { type Latency, latency } from './statistics.ts';

/** What scanning clients saw. */
interface Scans {
  answered: number;
  perSecond: number;
  latency: Latency;
  complaints: string[];
}

/** Loading and scanning, each alone and both at once, on one server. */
export interface InterplayResult {
  aloneSpansPerSecond: number;
  bothSpansPerSecond: number;
  /**
   * Processor time beyond what so many spans cost alone, of all that the machine had meanwhile; undefined where
   * processor time cannot be read.
   */
  scanShare: number | undefined;
  /** Requests of the load, alone and beside scans. */
  aloneRequest: Latency;
  bothRequest: Latency;
  aloneScans: Scans;
  bothScans: Scans;
  complaints: string[];
}

const SCAN_ALONE_MS = 10_000;

/**
 * One run: a fifth of the data is loaded and cut, to have something to scan; then the scans run alone, the next two
 * fifths are loaded alone, and the last two while the scans go on.
 */
export async function runInterplay(context: RunContext): Promise<InterplayResult> {
  const { options, clock, signal } = context;
  if (options.target !== undefined) return measure(context, options.target);
  const dataDir = await mkdtemp(path.join(context.workDir, 'data-'));
  const server = await startServer({ dataDir, tenants: false, clock, signal });
  try {
    return await measure({ ...context, signal: AbortSignal.any([signal, server.died]) }, server);
  } finally {
    await server.stop();
    if (!options.keep) await rm(dataDir, { recursive: true, force: true });
  }
}

async function measure(context: RunContext, server: Server): Promise<InterplayResult> {
  const { options, dataset, clock, signal, progress } = context;
  const [before, alone, beside] = partsOf(dataset);
  const loadPart = async (label: string, part: Part): Promise<MeteredLoad> => {
    const startCpu = cpuSeconds(server);
    const result = await sendRequests(context, label, server.otlp, part.requests);
    const endCpu = cpuSeconds(server);
    const cpuS = startCpu === undefined || endCpu === undefined ? undefined : endCpu - startCpu;
    return { ...result, cpuS };
  };
  const settle = async () => {
    await flush(server.api, signal);
    await clock.sleep(options.settleMs, signal);
  };
  const first = await loadPart('loading, before', before);
  await settle();
  const range = { startMs: clock.nowMs() - 3_600_000, endMs: clock.nowMs() };
  const scan = (until: () => boolean, atMost: number) =>
    scans(context, server, heavyQuestions(range, { least: before.spans, most: atMost }), until);
  progress.begin('scanning alone', 1);
  const untilMs = clock.monotonicMs() + SCAN_ALONE_MS;
  const aloneScans = await scan(() => clock.monotonicMs() > untilMs, before.spans);
  const second = await loadPart('loading alone', alone);
  await settle();
  let loading = true;
  const scanning = scan(() => !loading, dataset.truth.spans);
  scanning.catch(() => {});
  const third = await loadPart('loading beside scans', beside).finally(() => (loading = false));
  const bothScans = await scanning;
  const refused = [first, second, third].flatMap(({ refusedSpans, rejectedSpans, firstReason }) =>
    refusedSpans + rejectedSpans > 0 ? [`${refusedSpans + rejectedSpans} spans were not accepted: ${firstReason}`] : [],
  );
  return {
    aloneSpansPerSecond: second.spansPerSecond,
    bothSpansPerSecond: third.spansPerSecond,
    scanShare: scanShare(second, third),
    aloneRequest: second.latency,
    bothRequest: third.latency,
    aloneScans,
    bothScans,
    complaints: [...refused, ...aloneScans.complaints, ...bothScans.complaints],
  };
}

interface MeteredLoad extends LoadResult {
  cpuS: number | undefined;
}

function scanShare(alone: MeteredLoad, beside: MeteredLoad): number | undefined {
  if (alone.cpuS === undefined || beside.cpuS === undefined) return undefined;
  const scanS = beside.cpuS - (alone.cpuS / alone.acceptedSpans) * beside.acceptedSpans;
  return Math.max(0, scanS) / ((beside.elapsedMs / 1000) * availableParallelism());
}

interface Part {
  requests: StoredDataset['phases'][number];
  spans: number;
}

function partsOf({ phases }: StoredDataset): [Part, Part, Part] {
  const requests = phases.flat();
  const part = (from: number, to: number): Part => {
    const own = requests.slice(Math.floor((from * requests.length) / 5), Math.floor((to * requests.length) / 5));
    return { requests: own, spans: own.reduce((sum, { spans }) => sum + spans, 0) };
  };
  return [part(0, 1), part(1, 3), part(3, 5)];
}

/** `options.scans` clients, each asking the questions in turn until the end, one after another. */
async function scans(
  { options, clock, signal }: RunContext,
  server: Server,
  questions: readonly Question[],
  ended: () => boolean,
): Promise<Scans> {
  const agent = keepAlive(options.scans);
  const timesMs: number[] = [];
  const complaints = new Set<string>();
  const startedMs = clock.monotonicMs();
  let turn = 0;
  const client = async () => {
    while (!ended()) {
      const at = turn++;
      const question = questions[at % questions.length] as Question;
      const { ms, wrong } = await ask(server, question, Math.floor(at / questions.length), agent, {
        tenants: false,
        signal,
      });
      if (wrong === undefined) timesMs.push(ms);
      else complaints.add(wrong.slice(0, 500));
    }
  };
  try {
    await Promise.all(Array.from({ length: options.scans }, client));
  } finally {
    agent.destroy();
  }
  return {
    answered: timesMs.length,
    perSecond: (timesMs.length / (clock.monotonicMs() - startedMs)) * 1000,
    latency: latency(timesMs),
    complaints: [...complaints].slice(0, 5),
  };
}

/** Queries that look at every span there is. The answers grow while data comes in, so they are judged by bounds. */
function heavyQuestions(range: Range, bounds: { least: number; most: number }): Question[] {
  const search = (query: string): Question => ({
    path: (round) => pathOf('/api/search', range, { q: query, limit: '20' }, round % 600),
    wrong: (answer) => (listAt(answer, 'traces').length > 0 ? undefined : `${query}: no traces`),
  });
  const rate = '{ } | rate() by (resource.service.name, name)';
  return [
    search('{ span.url.full =~ ".*catalogue.*ref=7.*" }'),
    {
      path: (round) => pathOf('/api/metrics/query_range', range, { q: rate, step: '60s' }, (round % 600) * 60),
      wrong: (answer) => {
        const spans = listAt<{ samples?: { value?: number }[] }>(answer, 'series')
          .flatMap(({ samples = [] }) => samples.map(({ value = 0 }) => value * 60))
          .reduce((sum, value) => sum + value, 0);
        const right = Math.round(spans) >= bounds.least && Math.round(spans) <= bounds.most;
        return right ? undefined : `${rate}: ${spans} spans, not between ${bounds.least} and ${bounds.most}`;
      },
    },
    search('{ } | by(resource.service.name) | count() > 10'),
    search('{ resource.service.name = "edge" } >> { resource.service.name = "catalogue" && duration > 1ms }'),
  ];
}
