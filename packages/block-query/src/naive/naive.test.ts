import { isKind, seededRandom } from '@vivace/kernel';
import { parse, parseField, printQuery } from '@vivace/traceql';
import { describe, expect, test } from 'vitest';
import {
  BASE_UNIX_NANO,
  naiveMetrics,
  naiveSearch,
  naiveTags,
  naiveTagValues,
  randomMetricsQuery,
  randomQuery,
  randomTraces,
  readDataset,
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

  test('says of an attribute with too many values that it has, instead of comparing them', () => {
    const { requests } = readDataset(
      'trace t1\n  a at=1s span.n=1\n  b at=2s span.n=2\n  c at=3s span.n=3 status=error',
    );
    const series = naiveMetrics(readTraces(requests), parse('{ } | compare({ status = error })'), {
      start: BASE_UNIX_NANO,
      end: BASE_UNIX_NANO + 10n * SECOND,
      step: 10n * SECOND,
      exemplars: 0,
      maxValuesPerAttribute: 2,
    });
    const metaOf = (key: string) =>
      series.filter(({ labels }) => labels[1]?.key === key).map(({ labels, samples }) => [labels[0], samples.length]);
    const error = { key: '__meta_error', value: { type: 'string', value: '__too_many_values__' } };
    expect(metaOf('span.n')).toEqual([[error, 0]]);
    expect(metaOf('status')).toHaveLength(4);
  });

  test('lists the names of attributes and the values of fields, of all spans or of those a query picks', () => {
    const { requests } = readDataset(`
trace t1
  a service="shop" span.n=2 span.list=["y", 1] event(name="e" code=5) scope.name="lib" instrumentation.lang="go"
    b service="db" span.n=10 span.__proto__="p" link(to=t1/a why="so") span.odd={k=1}
trace t2
  c service="shop" at=10s span.n="2" span.list=["x", "y"]`);
    const traces = readTraces(requests);
    expect(naiveTags(traces, undefined, {})).toEqual({
      span: ['__proto__', 'list', 'n', 'odd'],
      resource: ['service.name'],
      event: ['code'],
      link: ['why'],
      instrumentation: ['lang'],
    });
    expect(naiveTags(traces, parse('{ name = "b" }'), {})).toMatchObject({
      span: ['__proto__', 'n', 'odd'],
      event: [],
    });
    expect(naiveTags(traces, undefined, { startUnixNano: BASE_UNIX_NANO + SECOND })).toMatchObject({
      span: ['list', 'n'],
      event: [],
    });
    const valuesOf = (field: string, query?: string) =>
      naiveTagValues(traces, parseField(field), query === undefined ? undefined : parse(query), {});
    const text = (value: string) => ({ type: 'string', value });
    expect(valuesOf('span.n')).toEqual([{ type: 'int', value: 10n }, { type: 'int', value: 2n }, text('2')]);
    expect(valuesOf('span.list')).toEqual([{ type: 'int', value: 1n }, text('x'), text('y')]);
    expect(valuesOf('resource.service.name', '{ span.n != nil } >> { }')).toEqual([text('db')]);
    expect(valuesOf('span.odd')).toEqual([]);
    expect(valuesOf('name')).toEqual([text('a'), text('b'), text('c')]);
  });
});
