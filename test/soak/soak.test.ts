import { expect, test } from 'vitest';
import { formatReport } from './report.ts';
import { soak } from './soak.ts';
import { DEFAULT_SETTINGS } from './soak-settings.ts';

/*
 * A minute of what `npm run soak` does for longer: kills, a store of which three calls in ten fail, load and questions
 * at the same time.
 */

const SEED = Number(process.env['VIVACE_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));

test('load over kills and a failing store loses nothing, doubles nothing and leaves nothing behind', {
  timeout: 180_000,
}, async () => {
  const settings = {
    ...DEFAULT_SETTINGS,
    seed: SEED,
    minutes: 0.6,
    killEverySeconds: 10,
    cutInterval: '2s',
    retentionMs: 60_000,
  };
  const result = await soak(settings, () => undefined);
  const report = `VIVACE_TEST_SEED=${SEED}\n${formatReport(result)}`;
  console.info(report);
  expect(result.failures, report).toEqual([]);
  const { spans, lives, asked, askedAfter, store } = result;
  expect(spans.acknowledged).toBe(spans.sent);
  expect(spans.acknowledged).toBeGreaterThan(200);
  expect(lives.filter(({ end }) => end.startsWith('killed')).length).toBeGreaterThan(1);
  expect(asked.whole.trace + asked.whole.search + asked.whole.count).toBeGreaterThan(2);
  expect(askedAfter.whole.trace).toBeGreaterThan(spans.traces / 2);
  const puts = store?.weather?.outcomes.put ?? {};
  expect((puts.reset ?? 0) + (puts['done-no-answer'] ?? 0)).toBeGreaterThan(0);
  expect(puts['503']).toBeGreaterThan(0);
});
