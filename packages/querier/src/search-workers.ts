import type { Question, ResultOf } from '@vivace/block-query';
import { orAborted, startWorker, Transferred, VivaceError, type WorkerClient } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import type { ByteRange } from '@vivace/object-store';
import { type CacheUsage, createUsageCounters, sumUsage } from './cache-usage.ts';
import { EntryBook } from './entry-book.ts';
import { unpackAnswer } from './packed-answer.ts';
import {
  PRACTICE_TRACE_BYTES,
  type PracticeAnswer,
  type PractisingThread,
  practiseQueries,
  type QuestionAnswer,
} from './practice/practise.ts';
import type { PracticeSubjects } from './practice/subjects.ts';
import type {
  JobAnswer,
  LocateRequest,
  PracticeRequest,
  QueryJob,
  SearchWorkerArgument,
  SentJob,
  SubjectsRequest,
  TracesRequest,
} from './query-job.ts';
import type { NewBlock, ReadRequest, SentSearch, TraceFound, TraceSearch } from './trace-search.ts';

/** Threads that open blocks and decode pages. They ask back for the bytes that they need. */
export interface SearchWorkers {
  find(search: TraceSearch): Promise<TraceFound>;
  /** Answers a question; rejects with the reason of `signal`, and the thread lets go of it soon after. */
  query<Asked extends Question>(
    job: Omit<QueryJob, 'number' | 'question'> & { question: Asked },
    located: LocateBlocks,
    signal: AbortSignal,
  ): Promise<JobAnswer<ResultOf[Asked['kind']]>>;
  /** What the caches of all threads hold. */
  usage(): CacheUsage;
  /** Gives every thread a block for its cache; the buffers of the sections are handed over. */
  keep(block: NewBlock): Promise<void>;
  /** Ids of some traces of a block. */
  tracesOf(asked: TracesRequest): Promise<Uint8Array[]>;
  /** Every thread practises on blocks, which costs it about two seconds of CPU; the first one's answers are used. */
  practise(asked: Practice): Promise<void>;
  stop(): Promise<void>;
}

interface Practice {
  tenant: string;
  /** Newest first, at most `PRACTICE_BLOCKS`. */
  entries: readonly BlockEntry[];
  use: (answer: PracticeAnswer) => Promise<void>;
  signal: AbortSignal;
}

/** The blocks of a query's snapshot that may have a trace. */
export type LocateBlocks = (traceId: Uint8Array) => Promise<readonly BlockEntry[]>;

export interface SearchWorkerOptions {
  count: number;
  /** Over all workers. */
  cacheBytes: number;
  filterCacheBytes: number;
  /** Rows that conditions select are kept by block. */
  keepsPartials: boolean;
  /** Of hash tables over what senders chose. */
  seed: number;
  /** Bytes of an object of a block. */
  read: (tenant: string, block: string, object: string, range: ByteRange) => Promise<Uint8Array>;
  onExit: (error: VivaceError) => void;
}

/** Traces located at the same time: each may read of every segment of the trace index. */
const LOCATED_TOGETHER = 8;

export function createSearchWorkers(options: SearchWorkerOptions): SearchWorkers {
  const { count, cacheBytes, filterCacheBytes, keepsPartials, seed, read, onExit } = options;
  /** By the number of the query: queries that are being answered. */
  const asking = new Map<number, LocateBlocks>();
  const handlers = new Map<string, (request: never) => unknown>([
    [
      'read',
      async ({ tenant, block, object, range }: ReadRequest) => {
        const bytes = await read(tenant, block, object, range);
        const { buffer } = bytes;
        // Handed over, not copied, where the buffer holds nothing else.
        const whole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
        return whole ? new Transferred(bytes, [buffer]) : bytes;
      },
    ],
    [
      'locate',
      async ({ number, traceIds }: LocateRequest): Promise<(readonly BlockEntry[])[]> => {
        const located = asking.get(number);
        // Nobody waits for the answer any more.
        if (located === undefined) throw new VivaceError('canceled', 'query', 'the query has ended');
        // Few: and by their ids only in a message that is sent when it is packed.
        const found: (readonly BlockEntry[])[] = [];
        for (let at = 0; at < traceIds.length; at += LOCATED_TOGETHER) {
          found.push(...(await Promise.all(traceIds.slice(at, at + LOCATED_TOGETHER).map(located))));
        }
        return found;
      },
    ],
  ]);
  const counters = Array.from({ length: count }, createUsageCounters);
  const workers: WorkerClient[] = counters.map((usage) =>
    startWorker({
      module: new URL('./search-worker.ts', import.meta.url),
      argument: {
        cacheBytes: Math.floor(cacheBytes / count),
        filterCacheBytes: Math.floor(filterCacheBytes / count),
        keepsPartials,
        seed,
        usage,
      } satisfies SearchWorkerArgument,
      onExit,
      handlers,
    }),
  );
  const books = new Map(workers.map((worker) => [worker, new EntryBook()]));
  let nextQuery = 1;
  return {
    // A trace goes to the same worker every time, so its pages are cached once.
    find: (search) => {
      const worker = workers[(search.id[15] as number) % workers.length] as WorkerClient;
      return callFind(worker, books.get(worker) as EntryBook, search);
    },
    query: async ({ entries, ...job }, located, signal) => {
      signal.throwIfAborted();
      const worker = workers.reduce((least, one) => (one.pending < least.pending ? one : least));
      const number = nextQuery++;
      const book = books.get(worker) as EntryBook;
      asking.set(number, located);
      const cancel = () => void worker.call('cancel', number).catch(() => undefined);
      signal.addEventListener('abort', cancel, { once: true });
      try {
        const answer = await orAborted(
          worker.call('query', { ...job, number, entries: book.pack(entries) } satisfies SentJob),
          signal,
        );
        return unpackAnswer(answer as JobAnswer<unknown>) as never;
      } finally {
        signal.removeEventListener('abort', cancel);
        asking.delete(number);
      }
    },
    usage: () => sumUsage(counters),
    keep: async (block) => {
      const buffers = [...new Set(Object.values(block.sections).map(({ buffer }) => buffer as ArrayBuffer))];
      const last = workers.length - 1;
      await Promise.all(workers.map((worker, i) => worker.call('keep', block, i === last ? buffers : [])));
    },
    tracesOf: (asked) => (workers[0] as WorkerClient).call('traces', asked) as Promise<Uint8Array[]>,
    practise: async ({ tenant, entries, use, signal }) => {
      const threads = workers.map((worker) => practisingThread(worker, books.get(worker) as EntryBook, tenant));
      await Promise.all(
        threads.map((thread, i) => practiseQueries(thread, entries, i === 0 ? use : async () => undefined, signal)),
      );
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

function callFind(worker: WorkerClient, book: EntryBook, search: TraceSearch): Promise<TraceFound> {
  const sent = { ...search, entries: book.pack(search.entries) } satisfies SentSearch;
  return worker.call('find', sent) as Promise<TraceFound>;
}

/** What is asked for practice takes the way of all questions, there and back: its objects have the shapes of theirs. */
function practisingThread(worker: WorkerClient, book: EntryBook, tenant: string): PractisingThread {
  return {
    subjects: (entry) =>
      worker.call('subjects', { tenant, entry } satisfies SubjectsRequest) as Promise<PracticeSubjects | undefined>,
    answer: async (question, entries, maxBatches) => {
      const job = {
        number: 0,
        tenant,
        unread: undefined,
        heads: [],
        chunks: 0,
        question,
        entries: book.pack(entries),
      };
      const request = { job, maxBatches } satisfies PracticeRequest;
      const answer = (await worker.call('practise', request)) as JobAnswer<unknown>;
      return { kind: question.kind, result: unpackAnswer(answer).result } as QuestionAnswer;
    },
    find: async (id, entries) => {
      const search = { tenant, id, entries, named: 0, heads: [], maxBytes: PRACTICE_TRACE_BYTES };
      const { trace } = await callFind(worker, book, search);
      return trace;
    },
  };
}
