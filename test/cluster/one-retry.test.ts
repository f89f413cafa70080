import { expect, test } from 'vitest';
import { pause } from '../harness/load.ts';
import { type Attempt, PART } from '../truth/asking.ts';
import { oneRetry, type PartAnswer } from './one-retry.ts';

const cluster = (away: boolean) => ({ served: async () => undefined, missedIngester: () => away });
const attempts = (...problems: string[]): Attempt[] =>
  problems.map((problem, i) => ({ problem, http: `http://${i}`, beginMs: 10 * i, endMs: 10 * i + 5 }));

const retry = (away: boolean, parts: PartAnswer[] = []) => oneRetry(cluster(away), parts, 0);

test('a question is asked once more, whatever was wrong', async () => {
  for (const problem of ['gone', '503', PART]) {
    expect(await retry(false)(attempts(problem))).toBe('again');
  }
});

test('after that a part is an answer while an ingester is away, and only then', async () => {
  const parts: PartAnswer[] = [];
  expect(await retry(true, parts)(attempts(PART, PART))).toBe('enough');
  expect(parts).toEqual([{ endMs: 15 }]);
  await expect(retry(false, parts)(attempts(PART, PART))).rejects.toThrow(
    'not whole after one retry: part of http://0 after 5 ms, then part of http://1 after 5 ms',
  );
});

test('what fails twice has failed, also where a part came in between', async () => {
  for (const problem of ['gone', '503', '504', 'no answer']) {
    expect(await retry(true)(attempts(PART, problem))).toBe('again');
    const failed = [attempts('gone', problem), attempts('gone', PART, problem), attempts(PART, '503', problem)];
    for (const of of failed) {
      await expect(retry(true)(of)).rejects.toThrow(new RegExp(`then ${problem} of .* ms$`));
    }
  }
});

test('it is asked a second later, when somebody of each kind is ready', async () => {
  const served = Promise.withResolvers<undefined>();
  let isDone = false;
  const beginMs = performance.now();
  const again = oneRetry(
    { ...cluster(false), served: () => served.promise },
    [],
  )(attempts('gone')).then((what) => {
    isDone = true;
    return what;
  });
  await pause(1200);
  expect(isDone).toBe(false);
  served.resolve(undefined);
  expect(await again).toBe('again');
  const beganMs = performance.now();
  expect(await oneRetry(cluster(false), [])(attempts('503'))).toBe('again');
  expect(beganMs - beginMs).toBeGreaterThan(1150);
  expect(performance.now() - beganMs).toBeGreaterThan(950);
});
