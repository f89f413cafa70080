import { orAborted, startWorkerOnDemand, Transferred, VivaceError } from '@vivace/kernel';
import { blockKey } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { BlockMerger, Merged, MergeRead, MergeSink, MergeWrite } from './merge-task.ts';

export interface WorkerMergerOptions {
  store: ObjectStore;
  /** Of hash tables over what senders chose. */
  seed: number;
  onExit: (error: VivaceError) => void;
}

/** A merge makes few objects that last: more room for those that do not is memory for nothing. */
const YOUNG_GENERATION_MB = 6;

/** Merges in a thread of its own, which has no store: it asks here for what it reads, and hands over what it writes. */
export function createWorkerMerger({ store, seed, onExit }: WorkerMergerOptions): BlockMerger {
  let running: { sink: MergeSink; signal: AbortSignal } | undefined;
  const task = () => {
    if (running === undefined) throw new VivaceError('canceled', 'merge', 'the merge was given up');
    return running;
  };
  const worker = startWorkerOnDemand({
    module: new URL('./compact-worker.ts', import.meta.url),
    argument: { seed },
    onExit,
    youngGenerationMb: YOUNG_GENERATION_MB,
    handlers: new Map<string, (argument: never) => unknown>([
      [
        'read',
        async ({ tenant, block, object, offset, length }: MergeRead) => {
          const { signal } = task();
          const { bytes } = await store.get(blockKey(tenant, block, object), { range: { offset, length }, signal });
          const { buffer } = bytes;
          const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
          return isWhole ? new Transferred(bytes, [buffer]) : bytes;
        },
      ],
      ['write', ({ block, section, bytes }: MergeWrite) => task().sink(block, section, bytes)],
    ]),
  });
  return {
    merge: async (mergeTask, sink, signal) => {
      signal.throwIfAborted();
      if (running !== undefined) throw new VivaceError('internal', 'merge-busy', 'one merge at a time');
      running = { sink, signal };
      const cancel = () => void worker.call('cancel', undefined).catch(() => undefined);
      signal.addEventListener('abort', cancel, { once: true });
      const done = worker.call('merge', mergeTask);
      // The thread may go on for a moment after it was told to stop; until then it takes no other task.
      const ended = done.catch(() => undefined).then(() => void (running = undefined));
      try {
        return (await orAborted(done, signal)) as Merged;
      } finally {
        signal.removeEventListener('abort', cancel);
        if (!signal.aborted) await ended;
      }
    },
    stop: () => worker.stop(),
  };
}
