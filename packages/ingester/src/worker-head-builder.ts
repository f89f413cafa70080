import type { EncodedSpans } from '@vivace/columns';
import { startWorker, type VivaceError } from '@vivace/kernel';
import type { HeadBuilder, PushReply } from './head-builder.ts';
import type { HeadsOptions, HeadView, SealedHead } from './heads.ts';

/** Heads on a thread of their own. `onExit`: the thread ended by itself, and with it everything not yet in a block. */
export function createWorkerHeadBuilder(options: HeadsOptions, onExit: (error: VivaceError) => void): HeadBuilder {
  const worker = startWorker({
    module: new URL('./builder-worker.ts', import.meta.url),
    argument: options,
    onExit,
  });
  return {
    push: (requests) => worker.call('push', requests) as Promise<PushReply>,
    seal: (head) => worker.call('seal', head) as Promise<SealedHead | undefined>,
    drop: (generation) => worker.call('drop', generation) as Promise<number>,
    trace: (heads, id) => worker.call('trace', { heads, id }) as Promise<EncodedSpans[]>,
    views: (heads) => worker.call('views', heads) as Promise<HeadView[]>,
    stop: () => worker.stop(),
  };
}
