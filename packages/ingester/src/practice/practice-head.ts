import { VivaceError } from '@vivace/kernel';
import type { TraceSink } from '@vivace/otlp';
import type { BlockCutter, CutBlock } from '../block-cutter.ts';
import type { HeadBuilder } from '../head-builder.ts';
import type { SealedHead } from '../heads.ts';
import { PushQueue } from '../push-queue.ts';

/** No tenant's head has this name: theirs have a slash in them (head-state.ts). */
const HEAD = 'practice';

/** A head that is nobody's, on the threads of those that are. What goes into it is in no log, and no query sees it. */
export interface PracticeHead {
  readonly sink: TraceSink;
  /** Cuts what came into a block, which nobody else has, and forgets what came. */
  cut(): Promise<CutBlock | undefined>;
  /** Forgets what came. */
  clear(): Promise<void>;
}

/** `onSize` is told the bytes of all heads whenever those of this one are gone. */
export function createPracticeHead({
  builder,
  cutter,
  onSize,
}: {
  builder: HeadBuilder;
  cutter: BlockCutter;
  onSize: (bytes: number) => void;
}): PracticeHead {
  const queue = new PushQueue(builder, () => undefined);
  return {
    sink: {
      push: (_tenant, { bytes }) =>
        new Promise((resolve, reject) => {
          const accept: Parameters<PushQueue['push']>[0]['accept'] = (outcome) => {
            if ('accepted' in outcome) resolve({ acceptedSpans: outcome.accepted, rejectedSpans: outcome.rejected });
            else reject(new VivaceError('internal', 'practice', JSON.stringify(outcome)));
          };
          queue.push({ head: HEAD, bytes, accept, fail: reject });
        }),
    },
    cut: async () => (await leave(({ view }) => cutter.cut(view, { earliest: 0n, latest: (1n << 64n) - 1n })))?.[0],
    clear: () => leave(() => Promise.resolve()),
  };

  async function leave<T>(use: (sealed: SealedHead) => Promise<T>): Promise<T | undefined> {
    const sealed = await builder.seal(HEAD);
    if (sealed === undefined) return undefined;
    try {
      return await use(sealed);
    } finally {
      onSize(await builder.drop(sealed.generation));
    }
  }
}
