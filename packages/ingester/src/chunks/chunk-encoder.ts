import type { ColumnSetView } from '@vivace/columns';
import { startWorker, type VivaceError } from '@vivace/kernel';
import type { EncodedChunk } from './encode-chunk.ts';
import type { RowRange } from './plan-chunks.ts';

/** Encodes ranges of the rows of a head, each as `encodeChunk` does. */
export interface ChunkEncoder {
  encode(view: ColumnSetView, ranges: readonly RowRange[]): Promise<(EncodedChunk | undefined)[]>;
  stop(): Promise<void>;
}

/** On a thread of its own. */
export function createWorkerChunkEncoder(seed: number, onExit: (error: VivaceError) => void): ChunkEncoder {
  const worker = startWorker({ module: new URL('./chunk-worker.ts', import.meta.url), argument: { seed }, onExit });
  return {
    encode: (view, ranges) => worker.call('encode', { view, ranges }) as Promise<(EncodedChunk | undefined)[]>,
    stop: () => worker.stop(),
  };
}
