import {
  blockSource,
  headSource,
  metrics,
  type Question,
  type ResultOf,
  type RunOptions,
  type Source,
  SourceFailure,
  search,
  tags,
  tagValues,
  type UnreadBlocks,
} from '@vivace/block-query';
import { isKind, toVivaceError, VivaceError } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import type { BlockReads } from './block-reads.ts';
import type { JobAnswer, QueryJob } from './query-job.ts';

export interface JobOptions extends Omit<RunOptions, 'locate'> {
  /** The blocks of the snapshot that may have each trace, also those not read. Undefined: there are no others. */
  located?: ((traceIds: readonly Uint8Array[]) => Promise<readonly (readonly BlockEntry[])[]>) | undefined;
  /** Looks at so many batches of each block. Undefined: at all, else the answer is right only for practice. */
  maxBatches?: number | undefined;
}

/** Runs a job in a query thread. A block that cannot be read is told in the answer, which is then without it. */
export async function answerJob(
  { tenant, entries, chunks, unread, heads, question }: QueryJob,
  reads: BlockReads,
  { located, maxBatches, ...options }: JobOptions,
): Promise<JobAnswer<unknown>> {
  const answer: JobAnswer<unknown> = { result: undefined, missing: [], problems: [], damaged: [], inspectedBytes: 0 };
  const onRead = (bytes: number): void => {
    answer.inspectedBytes += bytes;
  };
  let sources: Source[] = [
    ...heads.map(({ id, view }) => headSource(id, view)),
    ...entries.map((entry) => blockSource(reads.open(tenant, entry, onRead), { maxBatches })),
  ];
  const asked = new Set(entries.map(({ id }) => id));
  const failed = new Set<string>();
  const later: UnreadBlocks | undefined = unread && {
    ...unread,
    readersOf: async (traceId) => {
      const others = (await located?.([traceId]))?.[0] ?? [];
      return others
        .filter(({ id }) => !asked.has(id) && !failed.has(id))
        .map((entry) => reads.open(tenant, entry, onRead));
    },
  };
  const inMemory = new Set([...heads, ...entries.slice(0, chunks)].map(({ id }) => id));
  const locate =
    located &&
    (async (traceIds: readonly Uint8Array[], among: readonly string[]) => {
      // To look into them is sooner done than to ask.
      if (among.every((id) => inMemory.has(id))) return undefined;
      const blocks = await located(traceIds);
      return blocks.map((one) => new Set([...inMemory, ...one.map(({ id }) => id)]));
    });
  for (;;) {
    try {
      answer.result = await run(sources, question, { ...options, locate }, later);
      return answer;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      const { source } = error;
      if (failed.has(source) || (unread === undefined && !sources.some(({ id }) => id === source)))
        throw new VivaceError('internal', 'query-source', error.message, { cause: error });
      sources = sources.filter(({ id }) => id !== source);
      failed.add(source);
      if (isKind(error.cause, 'data')) answer.damaged.push(source);
      if (isKind(error.cause, 'not-found')) answer.missing.push(error.source);
      else answer.problems.push(`block ${error.source} cannot be read: ${toVivaceError(error.cause).message}`);
    }
  }
}

function run(
  sources: readonly Source[],
  question: Question,
  options: RunOptions,
  unread: UnreadBlocks | undefined,
): Promise<ResultOf[Question['kind']]> {
  switch (question.kind) {
    case 'search':
      return search(sources, question.request, options, unread);
    case 'metrics':
      return metrics(sources, question.request, options);
    case 'tags':
      return tags(sources, question.request, options);
    case 'tagValues':
      return tagValues(sources, question.request, options);
  }
}
