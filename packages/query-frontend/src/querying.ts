import type { TimeRange } from '@vivace/api';
import type { Question, ResultOf, SearchRequest, SearchResult } from '@vivace/block-query';

/** Answers questions from heads and blocks: a querier, in this process or another. */
export interface Querying {
  query<Asked extends Exclude<Question, { kind: 'search' }>>(
    tenant: string,
    question: Asked,
    range: TimeRange,
    signal: AbortSignal,
  ): Promise<QueryAnswer<ResultOf[Asked['kind']]>>;
  /** Every answer has what the ones before had, and what comes next; the last is complete. */
  search(
    tenant: string,
    request: SearchRequest,
    range: TimeRange,
    signal: AbortSignal,
  ): AsyncIterable<QueryAnswer<SearchResult>>;
}

export interface QueryAnswer<Result> {
  result: Result;
  /** What could not be read, a line each. */
  problems: string[];
  inspectedBytes: number;
  blocks: number;
  blockBytes: number;
}
