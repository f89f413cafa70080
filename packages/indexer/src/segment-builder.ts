import { startWorker, Transferred, type VivaceError } from '@vivace/kernel';
import { blockKey, segmentKey } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import type { ReadRequest, SegmentJob, SegmentMade, SegmentRequest, SegmentUnreadable } from './segment-job.ts';

/** Makes segments of the trace index, in a thread of its own. */
export interface SegmentBuilder {
  /** Rejects with `not-found` where a block is gone. */
  build(job: SegmentJob): Promise<SegmentMade | SegmentUnreadable>;
  stop(): Promise<void>;
}

export interface SegmentBuilderOptions {
  store: ObjectStore;
  /** Of hash tables over what senders chose. */
  seed: number;
  onExit: (error: VivaceError) => void;
}

export function createSegmentBuilder({ store, seed, onExit }: SegmentBuilderOptions): SegmentBuilder {
  const stop = new AbortController();
  const handOver = ({ bytes }: { bytes: Uint8Array }): unknown => {
    const { buffer } = bytes;
    const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength;
    return isWhole ? new Transferred(bytes, [buffer]) : bytes;
  };
  const { signal } = stop;
  const worker = startWorker({
    module: new URL('./index-worker.ts', import.meta.url),
    argument: { seed },
    onExit,
    handlers: new Map<string, (request: never) => unknown>([
      [
        'read',
        async ({ tenant, block, object, range }: ReadRequest) =>
          handOver(await store.get(blockKey(tenant, block, object), { range, signal })),
      ],
      [
        'segment',
        async ({ tenant, id }: SegmentRequest) => handOver(await store.get(segmentKey(tenant, id), { signal })),
      ],
    ]),
  });
  return {
    build: async (job) => (await worker.call('build', job)) as SegmentMade | SegmentUnreadable,
    stop: async () => {
      stop.abort();
      await worker.stop();
    },
  };
}
