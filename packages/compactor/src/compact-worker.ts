import { setImmediate } from 'node:timers/promises';
import { createBlockCache, mergeBlocks, openBlock, type SectionName } from '@vivace/block';
import { serveWorker, VivaceError, workerArgument } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { classify } from './classify.ts';
import type { Merged, MergeRead, MergeTask, MergeWrite } from './merge-task.ts';

// The compactor's thread: one merge at a time. Bytes come from the thread that started it, and go there.

/** Columns and trace lists that rules look at; each is looked at once or twice. */
const CLASSIFY_CACHE_BYTES = 64 * 1024 * 1024;

const { seed } = workerArgument() as { seed: number };
let abort = new AbortController();

const call = serveWorker(
  new Map<string, (argument: never) => unknown>([
    ['merge', merge],
    ['cancel', () => abort.abort(new VivaceError('canceled', 'merge', 'the merge was given up'))],
  ]),
);

async function merge(task: MergeTask): Promise<Merged> {
  abort = new AbortController();
  const { signal } = abort;
  const readers = task.inputs.map((entry) => ({ place: entry, readRange: readerOf(task.tenant, entry) }));
  const cache = createBlockCache({ maxBytes: CLASSIFY_CACHE_BYTES });
  const classes = await classify({
    inputs: readers.map(({ place, readRange }) => ({
      entry: place,
      reader: openBlock({ place, readRange, cache, seed }),
    })),
    retention: task.retention,
    seed,
    signal,
    breathe: () => setImmediate(),
  });
  const { blocks, resends } = await mergeBlocks({
    inputs: readers,
    route: classes.route,
    outputs: classes.names.length,
    rowGroupRows: task.rowGroupRows,
    pageRows: task.pageRows,
    maxRows: task.maxRows,
    seed,
    signal,
    sink: async (block: number, section: SectionName, bytes: Uint8Array) => {
      await call('write', { block, section, bytes } satisfies MergeWrite);
    },
  });
  return {
    resends,
    blocks: blocks.map(({ block, output, rows, traces, minStart, maxEnd, filterBytes, unfilteredKeys }) => ({
      block,
      retentionClass: classes.names[output] as string,
      content: { rows, traces, minStart, maxEnd, filterBytes, ...(unfilteredKeys && { unfilteredKeys }) },
    })),
  };
}

function readerOf(tenant: string, { id }: BlockEntry) {
  return async (object: string, offset: number, length: number): Promise<Uint8Array> =>
    (await call('read', { tenant, block: id, object, offset, length } satisfies MergeRead)) as Uint8Array;
}
