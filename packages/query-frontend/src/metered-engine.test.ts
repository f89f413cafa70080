import type { QueryEngine, SearchOptions, SearchPart, TagsOptions } from '@vivace/api';
import { VivaceError } from '@vivace/kernel';
import { createMetrics } from '@vivace/telemetry';
import { expect, test } from 'vitest';
import { MeteredEngine } from './metered-engine.ts';
import { createQueryMetrics } from './query-metrics.ts';

const stats = (inspectedBytes: number): SearchPart['stats'] => ({
  inspectedTraces: 0,
  inspectedSpans: 0,
  inspectedBytes,
  totalBlocks: 0,
  totalBlockBytes: 0,
  completedJobs: 1,
  totalJobs: 1,
});
const part = (inspectedBytes: number, problems: string[] = []): SearchPart => ({
  traces: [],
  stats: stats(inspectedBytes),
  cursor: undefined,
  problems,
});

/** An engine that gives the parts it is made of, and then fails where there is a failure. */
function engineOf(parts: SearchPart[], failure?: Error): QueryEngine {
  return {
    async *search() {
      yield* parts;
      if (failure !== undefined) throw failure;
    },
    async *metrics() {
      yield { series: [], truncated: false, stats: stats(7), problems: [] };
    },
    tags: async () => ({ scopes: [], stats: stats(11), problems: ['block x cannot be read'] }),
    tagValues: async () => {
      throw new VivaceError('limited', 'query-queue', 'too many');
    },
  };
}

function metered(engine: QueryEngine) {
  const metrics = createMetrics();
  let nowMs = 0;
  // Half a second passes between any two looks.
  const clock = { monotonicMs: () => (nowMs += 500) };
  const query = new MeteredEngine(engine, { metrics: createQueryMetrics(metrics, { running: 2, waiting: 3 }), clock });
  const has = async (...lines: string[]) => {
    const { body } = await metrics.render();
    for (const line of lines) expect(body).toContain(`\n${line}\n`);
  };
  return { query, has };
}

async function read(parts: AsyncIterable<SearchPart>, most = Number.POSITIVE_INFINITY): Promise<number> {
  let seen = 0;
  for await (const one of parts) {
    expect(one.traces).toEqual([]);
    if (++seen === most) break;
  }
  return seen;
}

const options = {} as SearchOptions & TagsOptions;

test('a search counts once, with the time and the bytes of all its parts', async () => {
  const { query, has } = metered(engineOf([part(10), part(30)]));
  expect(await read(query.search('t', options))).toBe(2);
  await has(
    'vivace_query_duration_seconds_count{kind="search",outcome="ok"} 1',
    'vivace_query_duration_seconds_sum{kind="search",outcome="ok"} 0.5',
    'vivace_query_inspected_bytes_total{kind="search"} 30',
    'vivace_query_running 2',
    'vivace_query_waiting 3',
  );
});

test('the outcome says whether something was missing, what failed, and that nobody waited', async () => {
  const missing = metered(engineOf([part(1), part(2, ['block x cannot be read'])]));
  await read(missing.query.search('t', options));
  await missing.has('vivace_query_duration_seconds_count{kind="search",outcome="partial"} 1');

  const late = metered(engineOf([part(5)], new VivaceError('deadline', 'query-timeout', 'too long')));
  await expect(read(late.query.search('t', options))).rejects.toThrow('too long');
  await late.has(
    'vivace_query_duration_seconds_count{kind="search",outcome="deadline"} 1',
    'vivace_query_inspected_bytes_total{kind="search"} 5',
  );

  const left = metered(engineOf([part(5), part(6)]));
  expect(await read(left.query.search('t', options), 1)).toBe(1);
  await left.has('vivace_query_duration_seconds_count{kind="search",outcome="canceled"} 1');
});

test('every kind of query has its own series', async () => {
  const { query, has } = metered(engineOf([]));
  for await (const one of query.metrics('t', {} as never)) expect(one.series).toEqual([]);
  await query.tags('t', options);
  await expect(query.tagValues('t', {} as never)).rejects.toThrow('too many');
  await has(
    'vivace_query_duration_seconds_count{kind="metrics",outcome="ok"} 1',
    'vivace_query_duration_seconds_count{kind="tags",outcome="partial"} 1',
    'vivace_query_duration_seconds_count{kind="values",outcome="limited"} 1',
    'vivace_query_inspected_bytes_total{kind="tags"} 11',
  );
});
