import { VivaceError } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { expect, test, vi } from 'vitest';
import { EarlyJob } from './early-job.ts';
import type { HeadViews } from './head-source.ts';
import type { JobAnswer } from './query-job.ts';

const ANSWER: JobAnswer<string> = { result: 'found', missing: [], problems: [], damaged: [], inspectedBytes: 1 };

const viewsOf = (...ids: string[]): HeadViews => ({
  views: [],
  chunks: ids.map((id) => ({ id }) as BlockEntry),
  problems: [],
});

/** A job over the chunks a and b and version 7 of the root, which ends when `answer` does. */
function setUp(answer = Promise.resolve(ANSWER), snapshot: { version: number | undefined } = { version: 7 }) {
  const release = vi.fn<() => void>();
  const run = vi.fn<(snapshot: unknown, signal: AbortSignal) => Promise<JobAnswer<string>>>(() => answer);
  const job = new EarlyJob({ ...viewsOf('a', 'b'), release }, async () => snapshot, run);
  return { job, run, release };
}

test('the answer is that of heads and a root that proved to be as expected', async () => {
  const { job, run, release } = setUp();
  expect(await job.answerOver(viewsOf('a', 'b'), { version: 7 })).toBe(ANSWER);
  job.giveUp();
  expect([run.mock.calls.length, release.mock.calls.length]).toEqual([1, 1]);
});

test.each([
  ['a chunk is there besides', viewsOf('a', 'b', 'c'), 7],
  ['a chunk is another', viewsOf('a', 'c'), 7],
  ['a chunk is gone', viewsOf('a'), 7],
  ['rows of a log are there', { ...viewsOf('a', 'b'), views: [{ id: 'log', view: {} as never }] }, 7],
  ['the root is newer', viewsOf('a', 'b'), 8],
  ['the root cannot be read', viewsOf('a', 'b'), undefined],
])('where %s there is no answer, and the thread is told', async (_, heads, version) => {
  const never = Promise.withResolvers<JobAnswer<string>>();
  const { job, run, release } = setUp(never.promise);
  expect(await job.answerOver(heads, { version })).toBeUndefined();
  await vi.waitFor(() => expect(run.mock.calls[0]?.[1].aborted).toBe(true));
  // What it reads stays until it has ended.
  expect(release).not.toHaveBeenCalled();
  never.reject(new VivaceError('canceled', 'query', 'nobody waits'));
  await vi.waitFor(() => expect(release).toHaveBeenCalledOnce());
});

test('a job that fails is no answer, and one without a root is not begun', async () => {
  const failing = setUp(Promise.reject(new VivaceError('internal', 'broken', 'it broke')));
  expect(await failing.job.answerOver(viewsOf('a', 'b'), { version: 7 })).toBeUndefined();
  const { job, run, release } = setUp(undefined, { version: undefined });
  expect(await job.answerOver(viewsOf('a', 'b'), { version: undefined })).toBeUndefined();
  await vi.waitFor(() => expect(release).toHaveBeenCalledOnce());
  expect(run).not.toHaveBeenCalled();
});
