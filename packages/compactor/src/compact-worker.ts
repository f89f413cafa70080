import { setImmediate } from 'node:timers/promises';
import { mergeBlocks, type SectionName } from '@vivace/block';
import { serveWorker, VivaceError, workerArgument } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type Classes, type ClassifyInput, plainClasses } from './classes.ts';
import type { Merged, MergeRead, MergeTask, MergeWrite } from './merge-task.ts';

// The compactor's thread: one merge at a time. Bytes come from the thread that started it, and go there.

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
  const inputs = task.inputs.map((entry) => ({ place: entry, readRange: readerOf(task.tenant, entry) }));
  const { names, placeOf } = await classesOf(task, inputs, signal);

  const { blocks, resends } = await mergeBlocks({
    inputs,
    route: (_, number) => placeOf(number),
    outputs: names.length,
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
      retentionClass: names[output] as string,
      content: { rows, traces, minStart, maxEnd, filterBytes, ...(unfilteredKeys && { unfilteredKeys }) },
    })),
  };
}

/** The query engine takes three megabytes of the thread: it is brought when traces are to be judged. */
async function classesOf(
  { retention }: MergeTask,
  inputs: readonly ClassifyInput[],
  signal: AbortSignal,
): Promise<Classes> {
  const plain = plainClasses(inputs, retention);
  if (plain !== undefined) return plain;
  const { classify } = await import('./classify.ts');
  return classify({ inputs, retention, seed, signal, breathe: () => setImmediate() });
}

function readerOf(tenant: string, { id }: BlockEntry) {
  return async (object: string, offset: number, length: number): Promise<Uint8Array> =>
    (await call('read', { tenant, block: id, object, offset, length } satisfies MergeRead)) as Uint8Array;
}
