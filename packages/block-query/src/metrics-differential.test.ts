import { expect, test } from 'vitest';
import { metricsPairs, QUERIES_PER_SEED } from './testing/differential-pairs.ts';

const PAIRS = Number(process.env['VIVACE_METRICS_PAIRS'] ?? 6000);
const FIRST_SEED = Number(process.env['VIVACE_METRICS_SEED'] ?? 1);

test(`${PAIRS} random metrics queries over random traces give what the naive evaluator gives`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PAIRS / QUERIES_PER_SEED; seed++) {
    for await (const { message, given, expected } of metricsPairs(seed)) expect(given, message).toEqual(expected);
  }
});
