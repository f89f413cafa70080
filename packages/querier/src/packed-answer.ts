import { packMatches, type SearchResult, unpackMatches } from '@vivace/block-query';
import type { JobAnswer } from './query-job.ts';

/** An answer as it passes between threads. */
export function packAnswer(answer: JobAnswer<unknown>): JobAnswer<unknown> {
  const { result } = answer;
  return isSearchResult(result) ? { ...answer, result: { ...result, traces: packMatches(result.traces) } } : answer;
}

/** What `packAnswer` was given. */
export function unpackAnswer(answer: JobAnswer<unknown>): JobAnswer<unknown> {
  const result = answer.result as { traces?: unknown };
  if (typeof result.traces !== 'string') return answer;
  return { ...answer, result: { ...result, traces: unpackMatches(result.traces) } };
}

function isSearchResult(result: unknown): result is SearchResult {
  return Array.isArray((result as { traces?: unknown }).traces);
}
