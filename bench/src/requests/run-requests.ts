import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { listTenants, openManifest } from '@vivace/manifest';
import { createRetryingStore, createS3Store } from '@vivace/object-store';
import { ask } from '../ask.ts';
import { keepAlive } from '../http.ts';
import { suiteOf } from '../query-suite.ts';
import type { QuestionGroup } from '../question.ts';
import { flush } from '../run.ts';
import type { RunContext } from '../run-context.ts';
import { sendRequests } from '../send-requests.ts';
import { type OwnServer, startServer } from '../server.ts';
import { between, type CountedBucket, type RequestCounts, startCountedBucket } from './counted-bucket.ts';
import type { MeasuredRequests } from './measured-requests.ts';

/** About what S3 takes for a small put, in its own region. */
const PUT_LATENCY_MS = 40;
const CUTS = 8;
const IDLE_MS = 30_000;
const SETTLE_MS = 3_000;
/** Merging is waited for so long. */
const MERGE_FOR_MS = 120_000;
const QUIET_MS = 10_000;

const UNMERGED = { VIVACE_COMPACTOR_DISABLED: 'true' };
const MERGING = {
  VIVACE_COMPACTOR_COMPACTION_COMPACTION_CYCLE: '500ms',
  VIVACE_COMPACTOR_COMPACTION_COMPACTION_WINDOW: '1h',
};

export interface RequestsResult extends MeasuredRequests {
  complaints: string[];
}

/** Counts the requests of one process on a bucket: while nothing happens, while spans come, merging, and by query. */
export async function runRequests(context: RunContext, command: string): Promise<RequestsResult> {
  const { options, clock, signal, progress, dataset } = context;
  const bucket = await startCountedBucket(PUT_LATENCY_MS);
  const dataDir = await mkdtemp(path.join(context.workDir, 'data-'));
  let server: OwnServer | undefined;
  const start = async (env: Record<string, string>): Promise<OwnServer> => {
    await server?.stop();
    server = await startServer({ dataDir, tenants: false, clock, signal, env: { ...bucket.env, ...env } });
    return server;
  };
  try {
    progress.begin('idle', 1);
    const own = await start(UNMERGED);
    await clock.sleep(SETTLE_MS, signal);
    const idleBefore = bucket.counts();
    await clock.sleep(IDLE_MS, signal);
    const idleAfter = bucket.counts();
    progress.end();
    const hours = IDLE_MS / 3_600_000;
    const idleHour = {
      data: between(idleBefore.data, idleAfter.data, hours),
      log: between(idleBefore.log, idleAfter.log, hours),
    };
    const loaded = await loadInCuts(context, own, bucket, idleHour);
    const queries = await countQueries(context, bucket, () => start(UNMERGED));
    const blocks = await liveBlocks(context, bucket);
    const merged = await countMerging(context, bucket, () => start(MERGING), blocks);
    return {
      command,
      date: new Date(clock.nowMs()).toISOString().slice(0, 10),
      spans: dataset.truth.spans,
      putLatencyMs: PUT_LATENCY_MS,
      idleHour,
      ...loaded,
      ...merged,
      blocks,
      queries: queries.counts,
      complaints: queries.complaints,
    };
  } finally {
    await server?.stop();
    await bucket.close();
    if (!options.keep) await rm(dataDir, { recursive: true, force: true });
  }
}

async function loadInCuts(
  context: RunContext,
  server: OwnServer,
  bucket: CountedBucket,
  idle: MeasuredRequests['idleHour'],
): Promise<Pick<MeasuredRequests, 'perCut' | 'log' | 'spansPerSecond'>> {
  const { dataset, clock, signal } = context;
  const requests = dataset.phases.flat();
  const before = bucket.counts();
  const startedMs = clock.monotonicMs();
  let loadingMs = 0;
  let logPuts = 0;
  for (let cut = 0; cut < CUTS; cut++) {
    const part = requests.slice((cut * requests.length) / CUTS, ((cut + 1) * requests.length) / CUTS);
    const logBefore = bucket.counts().log.put;
    const { elapsedMs } = await sendRequests(context, `loading, part ${cut + 1}`, server.otlp, part);
    loadingMs += elapsedMs;
    logPuts += bucket.counts().log.put - logBefore;
    await flush(server.api, signal);
  }
  // What follows a commit: the trace index, segments of the log that are dropped.
  await clock.sleep(SETTLE_MS, signal);
  const after = bucket.counts();
  const hours = (clock.monotonicMs() - startedMs) / 3_600_000;
  const leasePuts = (idle.log.put * loadingMs) / 3_600_000;
  const segments = Math.max(1, logPuts - leasePuts);
  const beyond = (purpose: 'data' | 'log', per: number): RequestCounts => {
    const all = between(before[purpose], after[purpose]);
    const share = (name: keyof RequestCounts) =>
      Number((Math.max(0, all[name] - idle[purpose][name] * hours) / per).toFixed(4));
    return { put: share('put'), list: share('list'), get: share('get') };
  };
  return {
    spansPerSecond: Math.round((dataset.truth.spans * 1000) / loadingMs),
    perCut: beyond('data', CUTS),
    log: {
      requestsPerSecond: Number((requests.length / (loadingMs / 1000)).toFixed(2)),
      putsPerSecond: Number((segments / (loadingMs / 1000)).toFixed(2)),
      perPut: beyond('log', segments),
    },
  };
}

/** Each kind of question to a process of its own: once, and once more. */
async function countQueries(
  { dataset, clock, signal, progress }: RunContext,
  bucket: CountedBucket,
  start: () => Promise<OwnServer>,
): Promise<{ counts: MeasuredRequests['queries']; complaints: string[] }> {
  const groups = [byId(dataset.truth.sample.map(({ traceId }) => traceId)), ...suiteOf(dataset.truth, clock.nowMs())];
  const counts: MeasuredRequests['queries'] = {};
  const complaints: string[] = [];
  progress.begin('queries', groups.length);
  for (const { name, questions } of groups) {
    const [question] = questions;
    if (question === undefined) continue;
    const server = await start();
    await clock.sleep(SETTLE_MS, signal);
    const agent = keepAlive(1);
    const asked: RequestCounts[] = [];
    for (let round = 0; round < 2; round++) {
      const before = bucket.counts().data;
      const { wrong } = await ask(server, question, round, agent, { tenants: false, signal });
      if (wrong !== undefined) complaints.push(`${name}: ${wrong}`);
      asked.push(between(before, bucket.counts().data));
    }
    agent.destroy();
    counts[name] = { first: asked[0] as RequestCounts, again: asked[1] as RequestCounts };
    progress.add(1);
  }
  progress.end();
  return { counts, complaints };
}

function byId(traceIds: readonly string[]): QuestionGroup {
  const [traceId = ''] = traceIds;
  const path = () => `/api/v2/traces/${traceId}`;
  return { name: 'trace by id', questions: [{ path, wrong: () => undefined }], fresh: false };
}

/** Lets everything be merged that there is to merge, and waits until nothing changes any more. */
async function countMerging(
  context: RunContext,
  bucket: CountedBucket,
  start: () => Promise<OwnServer>,
  blocks: number,
): Promise<Pick<MeasuredRequests, 'perMergedBlock' | 'mergedBlocks'>> {
  const { clock, signal, progress } = context;
  progress.begin('merging', 1);
  const before = bucket.counts();
  await start();
  const deadlineMs = clock.monotonicMs() + MERGE_FOR_MS;
  let live = blocks;
  let changedMs = clock.monotonicMs();
  let after = before;
  while (clock.monotonicMs() < deadlineMs) {
    await clock.sleep(1000, signal);
    const now = await liveBlocks(context, bucket);
    if (now !== live) changedMs = clock.monotonicMs();
    if (now !== live) after = bucket.counts();
    live = now;
    if (live < blocks && clock.monotonicMs() - changedMs > QUIET_MS) break;
  }
  progress.end();
  // Every merge takes several blocks out of the list and puts one in.
  const merged = live < blocks ? blocks - live + 1 : 0;
  if (merged === 0) return { mergedBlocks: 0, perMergedBlock: { put: 0, list: 0, get: 0 } };
  const sum = (of: ReturnType<CountedBucket['counts']>): RequestCounts => ({
    put: of.data.put + of.claims.put,
    list: of.data.list + of.claims.list,
    get: of.data.get + of.claims.get,
  });
  return { mergedBlocks: merged, perMergedBlock: between(sum(before), sum(after), merged) };
}

async function liveBlocks({ clock, random, signal }: RunContext, { env }: CountedBucket): Promise<number> {
  const plain = await createS3Store({
    bucket: env.VIVACE_STORAGE_TRACE_S3_BUCKET as string,
    endpoint: env.VIVACE_STORAGE_TRACE_S3_ENDPOINT as string,
    region: env.VIVACE_STORAGE_TRACE_S3_REGION as string,
    forcePathStyle: true,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID as string,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY as string,
    },
    clock,
  });
  try {
    const store = createRetryingStore(plain, { clock, random });
    let blocks = 0;
    for await (const tenant of listTenants(store, signal)) {
      blocks += (await openManifest({ store, tenant, clock, random }).snapshot(signal, { maxAgeMs: 0 })).live.length;
    }
    return blocks;
  } finally {
    await plain.close();
  }
}
