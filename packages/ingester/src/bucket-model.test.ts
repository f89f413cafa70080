import { simulate } from '@vivace/manifest/testing';
import { expect, test } from 'vitest';
import { bucketLogFormat, openModelBucketLog } from './testing/bucket-model.ts';
import { createCoordinators } from './testing/model-coordinator.ts';

/*
 * The real ingester on the real log in the simulated bucket of @vivace/manifest/testing, up to four of them at a time:
 * calls land late, twice or never, processes stall for days, die, wake up after others have taken their streams over,
 * and have clocks that are wrong by up to ten days. Leases are old all the time, so that streams of living processes
 * are taken over, too.
 */

const SEEDS = Number(process.env['VIVACE_MODEL_SEEDS'] ?? 300);
const FIRST = Number(process.env['VIVACE_MODEL_FIRST'] ?? 1);

test('what is acknowledged stays, once, whoever takes over whose log', { timeout: 7_200_000 }, async () => {
  let acknowledged = 0;
  let steps = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const result = await play(seed);
    acknowledged += result.acknowledged;
    steps += result.steps;
  }
  console.info(`seeds ${FIRST} to ${FIRST + SEEDS - 1}: ${acknowledged} records acknowledged in ${steps} steps`);
  expect(acknowledged).toBeGreaterThan(5 * SEEDS);
});

function play(seed: number) {
  const openCoordinator = createCoordinators({ openLog: openModelBucketLog, shared: true });
  return simulate({ seed, openCoordinator, logFormat: bucketLogFormat, traces: SEEDS === 1 });
}
