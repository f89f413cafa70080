import { startWorker, type VivaceError } from '@vivace/kernel';
import type { BlockCutter, CutBlock } from './block-cutter.ts';
import type { BlockShape } from './cut.ts';

/** Encodes blocks on a thread of its own. The generation's columns are shared, the block's bytes are handed over. */
export function createWorkerBlockCutter(shape: BlockShape, onExit: (error: VivaceError) => void): BlockCutter {
  const worker = startWorker({ module: new URL('./cutter-worker.ts', import.meta.url), argument: shape, onExit });
  return {
    cut: (view, options) => worker.call('cut', { view, options }) as Promise<CutBlock[]>,
    stop: () => worker.stop(),
  };
}
