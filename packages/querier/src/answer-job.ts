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
import type { BlockReads } from './block-reads.ts';
import type { JobAnswer, QueryJob } from './query-job.ts';

/** Runs a job in a query thread. A block that cannot be read is told in the answer, which is then without it. */
export async function answerJob(
  { tenant, entries, unread, heads, question }: QueryJob,
  reads: BlockReads,
  options: RunOptions,
): Promise<JobAnswer<unknown>> {
  const answer: JobAnswer<unknown> = { result: undefined, missing: [], problems: [], inspectedBytes: 0 };
  const onRead = (bytes: number): void => {
    answer.inspectedBytes += bytes;
  };
  let sources: Source[] = [
    ...heads.map(({ id, view }) => headSource(id, view)),
    ...entries.map((entry) => blockSource(reads.open(tenant, entry, onRead))),
  ];
  let later = unread;
  for (;;) {
    try {
      const readers = later.map((entry) => reads.open(tenant, entry, onRead));
      const maxEndUnixNano = later.reduce((latest, { maxEnd }) => (maxEnd > latest ? maxEnd : latest), 0n);
      answer.result = await run(sources, question, options, later.length > 0 ? { maxEndUnixNano, readers } : undefined);
      return answer;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      const { source } = error;
      const known = [...sources, ...later].some(({ id }) => id === source);
      if (!known) throw new VivaceError('internal', 'query-source', error.message, { cause: error });
      sources = sources.filter(({ id }) => id !== source);
      later = later.filter(({ id }) => id !== source);
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
