import { setImmediate } from 'node:timers/promises';
import { createBlockCache } from '@vivace/block';
import { serveWorker, systemClock, type Transferred, VivaceError, workerArgument } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { answerJob } from './answer-job.ts';
import { createBlockReads } from './block-reads.ts';
import { countedCache } from './cache-usage.ts';
import { EntryShelf } from './entry-book.ts';
import { findTrace } from './find-trace.ts';
import { packAnswer } from './packed-answer.ts';
import { type PracticeSubjects, practiceSubjects } from './practice/subjects.ts';
import type {
  JobAnswer,
  LocateRequest,
  PracticeRequest,
  SearchWorkerArgument,
  SentJob,
  SubjectsRequest,
  TracesRequest,
} from './query-job.ts';
import type { NewBlock, SentSearch } from './trace-search.ts';
import { someTraces, warmUp } from './warm-up.ts';

// A query thread: opens blocks, decodes pages, joins traces and evaluates queries. Bytes come from the thread that
// started it.

const { cacheBytes, filterCacheBytes, keepsPartials, seed, usage } = workerArgument() as SearchWorkerArgument;
const reads = createBlockReads({
  cache: countedCache(createBlockCache({ maxBytes: cacheBytes, filterBytes: filterCacheBytes, keepsPartials }), usage),
  seed,
  ask: (request) => call('read', request) as Promise<Uint8Array>,
});
/** Queries that are being answered. */
const running = new Map<number, AbortController>();
const shelf = new EntryShelf();
let lookups = 0;

const call = serveWorker(
  new Map<string, (argument: never) => unknown>([
    ['find', find],
    ['keep', keep],
    ['query', query],
    ['subjects', subjects],
    ['traces', traces],
    ['practise', practise],
    ['cancel', (number: number) => running.get(number)?.abort(new VivaceError('canceled', 'query', 'nobody waits'))],
  ]),
);

/** Practice goes on when nobody waits: looked at so often. */
const BUSY_MS = 5;

/** What somebody waits for comes first. */
async function idle(): Promise<void> {
  await setImmediate();
  while (lookups > 0 || running.size > 0) await systemClock.sleep(BUSY_MS, NEVER);
}

const NEVER = new AbortController().signal;

async function subjects({ tenant, entry }: SubjectsRequest): Promise<PracticeSubjects | undefined> {
  await idle();
  return practiceSubjects(reads.open(tenant, entry, () => undefined));
}

async function traces({ tenant, entry, count }: TracesRequest): Promise<Uint8Array[]> {
  return someTraces(
    reads.open(tenant, entry, () => undefined),
    count,
  );
}

async function practise({ job, maxBatches }: PracticeRequest): Promise<JobAnswer<unknown> | Transferred> {
  const unpacked = { ...job, entries: shelf.unpack(job.entries) };
  await idle();
  return packAnswer(await answerJob(unpacked, reads, { signal: NEVER, breathe: idle, maxBatches }), job.question);
}

/** Waiting for no message costs some microseconds. */
const BREATH_MS = 1;
let breathedAtMs = 0;

/** Lets messages in: other queries, lookups, and that this one is not wanted any more. */
async function breathe(): Promise<void> {
  if (systemClock.monotonicMs() - breathedAtMs < BREATH_MS) return;
  await setImmediate();
  breathedAtMs = systemClock.monotonicMs();
}

async function find(sent: SentSearch): Promise<Transferred> {
  lookups++;
  try {
    return await findTrace({ ...sent, entries: shelf.unpack(sent.entries) }, reads);
  } finally {
    lookups--;
  }
}

function keep({ tenant, entry, sections }: NewBlock): void {
  reads.open(tenant, entry, () => undefined).keep(sections);
  void warmUp(tenant, entry, reads).catch(() => undefined);
}

async function query(sent: SentJob): Promise<JobAnswer<unknown> | Transferred> {
  const { number } = sent;
  const job = { ...sent, entries: shelf.unpack(sent.entries) };
  const located = (traceIds: readonly Uint8Array[]): Promise<BlockEntry[][]> =>
    call('locate', { number, traceIds } satisfies LocateRequest) as Promise<BlockEntry[][]>;
  const abort = new AbortController();
  running.set(job.number, abort);
  try {
    return packAnswer(await answerJob(job, reads, { signal: abort.signal, breathe, located }), job.question);
  } finally {
    running.delete(job.number);
  }
}
