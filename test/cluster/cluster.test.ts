import { expect, onTestFinished, test } from 'vitest';
import { runCluster } from './cluster-run.ts';
import { formatClusterReport } from './report.ts';

/*
 * Half a minute of what `npm run cluster-soak` does for longer, with five processes and four kills.
 */

const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));

test('a distributor, ingesters, a querier and a frontend that are killed under load lose and double nothing', {
  timeout: 240_000,
}, async () => {
  const kills = ['ingester-1', 'distributor-1', 'querier-1', 'ingester-2'];
  const settings = {
    minutes: 0.4,
    seed: SEED,
    sizes: { distributor: 1, ingester: 2, querier: 1, 'query-frontend': 1, compactor: 0 },
    acts: kills.map((kill) => ({ kill })),
    requestsPerSecond: 10,
    readers: 4,
    questionsPerSecond: 8,
    cutInterval: '3s',
  };
  const ended = new AbortController();
  const running = runCluster(settings, { signal: ended.signal });
  onTestFinished(async () => {
    ended.abort();
    await running;
  });
  const result = await running;
  const report = `VIVACE_TEST_SEED=${SEED}\n${formatClusterReport(result)}`;
  console.info(report);
  expect(result.failures, report).toEqual([]);
  const { spans, acts, asked, askedAfter } = result;
  expect(spans.acknowledged).toBe(spans.sent);
  expect(spans.acknowledged).toBeGreaterThan(500);
  expect(acts.map(({ what }) => what)).toEqual(kills.map((kill) => `killed ${kill}`));
  // Also while an ingester is gone: queriers read its log.
  expect(asked.parts, report).toBe(0);
  expect(asked.whole.trace + asked.whole.search + asked.whole.count).toBeGreaterThan(10);
  expect(askedAfter.whole.trace).toBeGreaterThanOrEqual(spans.traces);
});
