import { isDeepStrictEqual } from 'node:util';
import { metricsPairs, searchPairs } from './differential-pairs.ts';

/*
 * `node find-difference-main.ts [seeds]`: prints the first query that the two evaluators answer differently, or that
 * one of them fails at, and nothing where there is none.
 */

const seeds = Number(process.argv[2] ?? 100);
let last = 'nothing yet';
try {
  search: for (let seed = 1; seed <= seeds; seed++) {
    for (const pairs of [searchPairs, metricsPairs]) {
      for await (const { message, given, expected } of pairs(seed)) {
        last = message;
        if (isDeepStrictEqual(given, expected)) continue;
        console.log(`different: ${message}`);
        break search;
      }
    }
  }
} catch (error) {
  console.log(`failed after: ${last}`, error);
}
