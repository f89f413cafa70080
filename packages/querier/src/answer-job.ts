import {
  blockSource,
  headSource,
  metrics,
  type RunOptions,
  type Source,
  SourceFailure,
  search,
  tags,
  tagValues,
} from '@vivace/block-query';
import { isKind, toVivaceError, VivaceError } from '@vivace/kernel';
import type { BlockReads } from './block-reads.ts';
import type { JobAnswer, QueryJob, Question, ResultOf } from './query-job.ts';

/** Runs a job in a query thread. A block that cannot be read is told in the answer, which is then without it. */
export async function answerJob(
  { tenant, entries, heads, question }: QueryJob,
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
  for (;;) {
    try {
      answer.result = await run(sources, question, options);
      return answer;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      const rest = sources.filter(({ id }) => id !== error.source);
      if (rest.length === sources.length)
        throw new VivaceError('internal', 'query-source', error.message, { cause: error });
      sources = rest;
      if (isKind(error.cause, 'not-found')) answer.missing.push(error.source);
      else answer.problems.push(`block ${error.source} cannot be read: ${toVivaceError(error.cause).message}`);
    }
  }
}

function run(sources: readonly Source[], question: Question, options: RunOptions): Promise<ResultOf[Question['kind']]> {
  switch (question.kind) {
    case 'search':
      return search(sources, question.request, options);
    case 'metrics':
      return metrics(sources, question.request, options);
    case 'tags':
      return tags(sources, question.request, options);
    case 'tagValues':
      return tagValues(sources, question.request, options);
  }
}
