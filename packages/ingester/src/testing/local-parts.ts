import type { BlockCutter } from '../block-cutter.ts';
import { type BlockShape, cutBlocks } from '../cut.ts';
import type { HeadBuilder } from '../head-builder.ts';
import { Heads } from '../heads.ts';

/** Where a part of a test waits before it does what it was asked, so that a scheduler can interleave. */
export type Pause = () => Promise<void>;

const atOnce: Pause = async () => undefined;

/** The builder's heads without its thread. */
export interface LocalHeadBuilder extends HeadBuilder {
  /** Bytes of all heads. */
  readonly size: number;
}

/** Calls are carried out, and answered, one after another in the order in which they were made, as a thread does it. */
export function createLocalHeadBuilder(
  options: ConstructorParameters<typeof Heads>[0],
  pause: Pause = atOnce,
): LocalHeadBuilder {
  const heads = new Heads(options);
  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(work: () => T): Promise<T> => {
    const done = last.then(pause).then(work);
    last = done.catch(() => undefined);
    return done;
  };
  return {
    get size() {
      return heads.size;
    },
    push: (requests) =>
      inOrder(() => {
        const outcomes = requests.map(({ head, bytes, acknowledged }) => heads.push(head, bytes, acknowledged));
        const touched = new Set(requests.map(({ head }) => head));
        return { outcomes, sizes: [...touched].map((head) => [head, heads.sizeOf(head)]), size: heads.size };
      }),
    seal: (head) => inOrder(() => heads.seal(head)),
    drop: (generation) =>
      inOrder(() => {
        heads.drop(generation);
        return heads.size;
      }),
    views: (names) => inOrder(() => heads.views(names)),
    trace: (names, id) => inOrder(() => heads.trace(names, id)),
    stop: async () => undefined,
  };
}

const SMALL_BLOCKS: BlockShape = { singleObjectMaxBytes: 8 * 1024 * 1024, rowGroupRows: 1024, pageRows: 256, seed: 1 };

/** The cutter without its thread. */
export function createLocalBlockCutter(shape: BlockShape = SMALL_BLOCKS, pause: Pause = atOnce): BlockCutter {
  return {
    cut: async (view, options) => {
      await pause();
      return cutBlocks(view, options, shape);
    },
    stop: async () => undefined,
  };
}
