import type { Question, ResultOf } from '@vivace/block-query';
import { orAborted, startWorker, Transferred, type VivaceError, type WorkerClient } from '@vivace/kernel';
import type { ByteRange } from '@vivace/object-store';
import { unpackAnswer } from './packed-answer.ts';
import type { JobAnswer, QueryJob } from './query-job.ts';
import type { NewBlock, ReadRequest, TraceFound, TraceSearch } from './trace-search.ts';

/** Threads that open blocks and decode pages. They ask back for the bytes that they need. */
export interface SearchWorkers {
  find(search: TraceSearch): Promise<TraceFound>;
  /** Answers a question; rejects with the reason of `signal`, and the thread lets go of it soon after. */
  query<Asked extends Question>(
    job: Omit<QueryJob, 'number' | 'question'> & { question: Asked },
    signal: AbortSignal,
  ): Promise<JobAnswer<ResultOf[Asked['kind']]>>;
  /** Gives every thread a block for its cache; the buffers of the sections are handed over. */
  keep(block: NewBlock): Promise<void>;
  stop(): Promise<void>;
}

export interface SearchWorkerOptions {
  count: number;
  /** Over all workers. */
  cacheBytes: number;
  filterCacheBytes: number;
  /** Of hash tables over what senders chose. */
  seed: number;
  /** Each thread practises when it starts, which costs it about a second of CPU. */
  warmUp: boolean;
  /** Bytes of an object of a block. */
  read: (tenant: string, block: string, object: string, range: ByteRange) => Promise<Uint8Array>;
  onExit: (error: VivaceError) => void;
}

export interface SearchWorkerArgument {
  cacheBytes: number;
  filterCacheBytes: number;
  seed: number;
  warmUp: boolean;
}

export function createSearchWorkers(options: SearchWorkerOptions): SearchWorkers {
  const { count, cacheBytes, filterCacheBytes, seed, warmUp, read, onExit } = options;
  const handlers = new Map([
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
  ]);
  const workers: WorkerClient[] = Array.from({ length: count }, () =>
    startWorker({
      module: new URL('./search-worker.ts', import.meta.url),
      argument: {
        cacheBytes: Math.floor(cacheBytes / count),
        filterCacheBytes: Math.floor(filterCacheBytes / count),
        seed,
        warmUp,
      } satisfies SearchWorkerArgument,
      onExit,
      handlers,
    }),
  );
  let nextQuery = 1;
  return {
    // A trace goes to the same worker every time, so its pages are cached once.
    find: (search) => {
      const worker = workers[(search.id[15] as number) % workers.length] as WorkerClient;
      return worker.call('find', search) as Promise<TraceFound>;
    },
    query: async (job, signal) => {
      signal.throwIfAborted();
      const worker = workers.reduce((least, one) => (one.pending < least.pending ? one : least));
      const number = nextQuery++;
      const cancel = () => void worker.call('cancel', number).catch(() => undefined);
      signal.addEventListener('abort', cancel, { once: true });
      try {
        const answer = await orAborted(worker.call('query', { ...job, number }), signal);
        return unpackAnswer(answer as JobAnswer<unknown>) as never;
      } finally {
        signal.removeEventListener('abort', cancel);
      }
    },
    keep: async (block) => {
      const buffers = [...new Set(Object.values(block.sections).map(({ buffer }) => buffer as ArrayBuffer))];
      const last = workers.length - 1;
      await Promise.all(workers.map((worker, i) => worker.call('keep', block, i === last ? buffers : [])));
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}
