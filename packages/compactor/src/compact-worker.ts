import { setImmediate } from 'node:timers/promises';
import { mergeBlocks, openBlock, type SectionName } from '@vivace/block';
import { serveWorker, VivaceError, workerArgument } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type Classes, classify } from './classify.ts';
import type { Merged, MergeRead, MergeTask, MergeWrite } from './merge-task.ts';
import { createScratchCache } from './scratch-cache.ts';

// The compactor's thread: one merge at a time. Bytes come from the thread that started it, and go there.

/** Bytes and trace lists that rules look at; scans hold the columns themselves. An index may take half of three quarters. */
const CLASSIFY_CACHE_BYTES = 8 * 1024 * 1024;

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
  const classes = await classesOf(task, signal);

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
      await call('write', { block, section, bytes } satisfies MergeWrite, [bytes.buffer as ArrayBuffer]);
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

/** What it read is given back before the merge begins. */
async function classesOf({ tenant, inputs, retention }: MergeTask, signal: AbortSignal): Promise<Classes> {
  const cache = createScratchCache({ maxBytes: CLASSIFY_CACHE_BYTES });
  const open = (entry: BlockEntry) => openBlock({ place: entry, readRange: readerOf(tenant, entry), cache, seed });
  const classes = await classify({
    inputs: inputs.map((entry) => ({ entry, reader: open(entry) })),
    retention,
    seed,
    signal,
    breathe: () => setImmediate(),
  });
  cache.free();
  return classes;
}

function readerOf(tenant: string, { id }: BlockEntry) {
  return async (object: string, offset: number, length: number): Promise<Uint8Array> =>
    (await call('read', { tenant, block: id, object, offset, length } satisfies MergeRead)) as Uint8Array;
}
