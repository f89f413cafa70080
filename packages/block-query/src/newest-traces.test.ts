import { Columnizer, ColumnSet } from '@vivace/columns';
import { encodeTraces } from '@vivace/otlp/testing';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { newestStart, windowOf } from './newest-traces.ts';
import { search } from './search.ts';
import { headSource, type Source } from './source.ts';

const signal = new AbortController().signal;
const BASE = 1_790_000_000_000_000_000n;
const SECOND = 1_000_000_000n;

/** A source of so many traces of two spans each, a second from one to the next. */
function traces(count: number, first = 0): Source {
  const set = new ColumnSet({ seed: 3, maxColumns: 10 });
  const spans = Array.from({ length: 2 * count }, (_, i) => {
    const trace = first + (i >>> 1);
    const start = BASE + BigInt(trace) * SECOND + BigInt(i & 1);
    return {
      traceId: Buffer.from(trace.toString(16).padStart(32, '1'), 'hex'),
      spanId: Buffer.from((i + 1).toString(16).padStart(16, '0'), 'hex'),
      name: trace % 10 === 0 ? 'tenth' : 'other',
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + 5n),
    };
  });
  const request = encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  new Columnizer(set, { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 20 }).add(request);
  return headSource(`head ${first}`, set.view());
}

const few = { tracesAMatch: 2, least: 1, share: 4 };
const page = { limit: 4, endUnixNano: undefined, after: undefined };

test('as many of the newest traces as were asked for start at the time that is found', async () => {
  const sources = [traces(50), traces(50, 50)];
  const since = (await newestStart(sources, page, few, signal)) as bigint;
  const windows = await Promise.all(
    sources.map(async (source) => windowOf(source, (await source.batches(signal))[0] as never, since)),
  );
  const looked = windows.map(({ flags }) => flags.reduce((sum, flag) => sum + flag, 0));
  expect(looked[0]).toBe(0);
  expect(Math.abs((looked[1] as number) - 10)).toBeLessThanOrEqual(1);
  expect(windows[1]?.rows).toHaveLength(2 * (looked[1] as number));
});

test('they are counted from the end of the time that is asked for, unless too many are newer', async () => {
  const sources = [traces(100)];
  const at = (second: number) => BASE + BigInt(second) * SECOND;
  const since = (await newestStart(sources, { ...page, endUnixNano: at(89) }, few, signal)) as bigint;
  expect(since).toBeLessThan(at(82));
  expect(since).toBeGreaterThan(at(77));
  expect(await newestStart(sources, { ...page, endUnixNano: at(40) }, few, signal)).toBeUndefined();
});

test('where a page is as long as all there is, no time is looked for', async () => {
  expect(await newestStart([traces(30)], page, few, signal)).toBeUndefined();
});

test('a page is the same whether few traces are looked at first or all', async () => {
  const sources = [traces(60), traces(60, 60), traces(30, 45)];
  for (const text of ['{ name = "tenth" }', '{ name = "other" }', '{ } | count() > 1', '{ name = "none" }']) {
    for (const limit of [1, 3, 5, 12]) {
      const request = { query: parse(text), startUnixNano: undefined, endUnixNano: undefined, limit, after: undefined };
      const [all, some] = await Promise.all(
        [{ ...few, least: 1000 }, few].map((newest) =>
          search(sources, { ...request, spansPerSpanset: 3 }, { signal, breathe: async () => undefined, newest }),
        ),
      );
      expect(some, `${text}, ${limit}`).toEqual(all);
    }
  }
});
