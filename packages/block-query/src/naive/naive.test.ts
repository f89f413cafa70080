import { isKind, seededRandom } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import {
  BASE_UNIX_NANO,
  naiveMetrics,
  naiveSearch,
  naiveTags,
  randomMetricsQuery,
  randomQuery,
  randomTraces,
  readTraces,
} from '../testing.ts';

const SECOND = 1_000_000_000n;
const everything = { limit: 1000, spansPerSpanset: 1000 };

/** Undefined where the query cannot be answered for these traces. */
function unlessInvalid<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    return undefined;
  }
}

describe('the naive evaluator', () => {
  test('answers random queries over random traces, whatever they are, and the same in whatever order requests came', () => {
    let matches = 0;
    let refusals = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const random = seededRandom(seed);
      const requests = randomTraces(random);
      const query = randomQuery(random);
      const answer = unlessInvalid(() => naiveSearch(readTraces(requests), query, everything));
      const again = unlessInvalid(() => naiveSearch(readTraces([...requests].reverse()), query, everything));
      expect(again, `seed ${seed}: ${printQuery(query)}`).toEqual(answer);
      if (answer === undefined) refusals++;
      else if (answer.length > 0) matches++;
    }
    // Random queries are of use only where they match some traces and not others.
    expect(matches).toBeGreaterThan(350);
    expect(matches).toBeLessThan(900);
    expect(refusals).toBeLessThan(50);
  });

  test('computes series of random queries over random traces, each in its intervals and of numbers', () => {
    let found = 0;
    for (let seed = 0; seed < 500; seed++) {
      const random = seededRandom(seed);
      const traces = readTraces(randomTraces(random));
      const query = randomMetricsQuery(random);
      const [start, end, step] = [BASE_UNIX_NANO, BASE_UNIX_NANO + 60n * SECOND, 20n * SECOND];
      const series = unlessInvalid(() => naiveMetrics(traces, query, { start, end, step, exemplars: 0 }));
      const ends = [20n, 40n, 60n].map((seconds) => Number((BASE_UNIX_NANO + seconds * SECOND) / 1_000_000n));
      for (const { samples } of series ?? []) {
        found++;
        for (const { timestampMs, value } of samples) {
          expect(ends).toContain(timestampMs);
          expect(value, printQuery(query)).not.toBeNaN();
        }
      }
    }
    expect(found).toBeGreaterThan(1000);
  });

  test('lists the names that spans, their resources, events, links and scopes have', () => {
    const traces = readTraces(randomTraces(seededRandom(3)));
    const { span } = naiveTags(traces, undefined, {});
    const all = traces.flatMap((trace) => trace.spans).flatMap((one) => [...one.attributes.keys()]);
    expect(new Set(span)).toEqual(new Set(all));
    expect(span.length).toBeGreaterThan(2);
  });
});
