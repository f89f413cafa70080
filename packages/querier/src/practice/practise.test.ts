import { setImmediate } from 'node:timers/promises';
import type { MetricsResult, SearchResult, TagValuesResult } from '@vivace/block-query';
import { expect, test } from 'vitest';
import { answerJob } from '../answer-job.ts';
import { findTrace } from '../find-trace.ts';
import type { TraceFound } from '../trace-search.ts';
import { inventBlocks } from './invented-block.ts';
import { inventedTraceId } from './invented-spans.ts';
import { practiceQuestions, practiseQueries } from './practise.ts';

const breathe = async () => undefined;
const { signal } = new AbortController();

test('practice is on questions that have answers, all but one', async () => {
  const { entries, reads } = await inventBlocks([80, 0], 100, 1, breathe);
  const questions = practiceQuestions(100, 80);
  const empty: string[] = [];
  for (const question of questions) {
    const job = { number: 0, tenant: '', entries, unread: undefined, heads: [], question };
    const { result, problems } = await answerJob(job, reads, { signal, breathe });
    expect(problems).toEqual([]);
    const { traces } = result as SearchResult;
    const { series } = result as MetricsResult;
    const { values } = result as TagValuesResult;
    const { scopes } = result as { scopes?: unknown[] };
    if ((traces ?? series ?? values ?? scopes)?.length === 0) empty.push(JSON.stringify(question.request, ofBigints));
  }
  expect(empty).toHaveLength(1);
  expect(empty[0]).toContain('"none"');
});

test('traces of both invented blocks are found', async () => {
  const { entries, reads } = await inventBlocks([80, 0], 100, 1, breathe);
  for (const trace of [0, 90, 179]) {
    const search = { tenant: '', id: inventedTraceId(trace), entries, heads: [], maxBytes: 1 << 20 };
    const { value } = await findTrace(search, reads);
    expect((value as TraceFound).trace.length).toBeGreaterThan(0);
  }
});

test('practice lets other work in, and ends when nobody wants it', async () => {
  const abort = new AbortController();
  let breaths = 0;
  const practice = practiseQueries(async () => {
    await setImmediate();
    if (++breaths === 30) abort.abort(new Error('stopped'));
  }, abort.signal);
  await expect(practice).rejects.toThrow('stopped');
  expect(breaths).toBeLessThan(60);
});

function ofBigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}
