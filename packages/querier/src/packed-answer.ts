import { packMatches, type Question, type SearchResult, unpackMatches, writeTraces } from '@vivace/block-query';
import { Transferred } from '@vivace/kernel';
import type { JobAnswer } from './query-job.ts';

/** An answer as it passes between threads; the traces of a search are written in the form that it asks for. */
export function packAnswer(answer: JobAnswer<unknown>, { kind, request }: Question): JobAnswer<unknown> | Transferred {
  if (kind !== 'search') return answer;
  const result = answer.result as SearchResult;
  const written = request.written && writeTraces(result.traces, request.written);
  if (written === undefined) return { ...answer, result: { ...result, traces: packMatches(result.traces) } };
  const buffers = written.json.map(({ buffer }) => buffer as ArrayBuffer);
  return new Transferred({ ...answer, result: { ...result, traces: [], written } }, buffers);
}

/** What `packAnswer` was given, or its traces as they were written. */
export function unpackAnswer(answer: JobAnswer<unknown>): JobAnswer<unknown> {
  const result = answer.result as { traces?: unknown };
  if (typeof result.traces !== 'string') return answer;
  return { ...answer, result: { ...result, traces: unpackMatches(result.traces) } };
}
