import { expect, test } from 'vitest';
import { QUERIES_PER_SEED, searchPairs } from './testing/differential-pairs.ts';

const PAIRS = Number(process.env['VIVACE_QUERY_PAIRS'] ?? 20_000);
const FIRST_SEED = Number(process.env['VIVACE_QUERY_SEED'] ?? 1);

test(`${PAIRS} random searches over random traces give what the naive evaluator gives`, {
  timeout: 600_000,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + PAIRS / QUERIES_PER_SEED; seed++) {
    for await (const { message, given, expected } of searchPairs(seed)) expect(given, message).toEqual(expected);
  }
});
