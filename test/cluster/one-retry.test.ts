import { expect, test } from 'vitest';
import { type Attempt, PART } from '../truth/asking.ts';
import { oneRetry, type PartAnswer } from './one-retry.ts';

const cluster = (away: boolean) => ({ served: async () => undefined, missedIngester: () => away });
const attempts = (...problems: string[]): Attempt[] =>
  problems.map((problem, i) => ({ problem, http: `http://${i}`, beginMs: 10 * i, endMs: 10 * i + 5 }));

test('a question is asked once more, whatever was wrong', async () => {
  for (const problem of ['gone', '503', PART]) {
    expect(await oneRetry(cluster(false), [])(attempts(problem))).toBe('again');
  }
});

test('after that a part is an answer while an ingester is away, and only then', async () => {
  const parts: PartAnswer[] = [];
  expect(await oneRetry(cluster(true), parts)(attempts(PART, PART))).toBe('enough');
  expect(parts).toEqual([{ endMs: 15 }]);
  await expect(oneRetry(cluster(false), parts)(attempts(PART, PART))).rejects.toThrow(
    'not whole after one retry: part of http://0 after 5 ms, then part of http://1 after 5 ms',
  );
});

test('what fails twice has failed, also where a part came in between', async () => {
  for (const problem of ['gone', '503', '504', 'no answer']) {
    expect(await oneRetry(cluster(true), [])(attempts(PART, problem))).toBe('again');
    const failed = [attempts('gone', problem), attempts('gone', PART, problem), attempts(PART, '503', problem)];
    for (const of of failed) {
      await expect(oneRetry(cluster(true), [])(of)).rejects.toThrow(new RegExp(`then ${problem} of .* ms$`));
    }
  }
});
