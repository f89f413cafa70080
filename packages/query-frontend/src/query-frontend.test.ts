import type { SearchOptions, SearchPart } from '@vivace/api';
import { type SearchResult, type TraceMatch, writeTraces } from '@vivace/block-query';
import { hexToBytes, type VivaceError } from '@vivace/kernel';
import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { QueryFrontend, type QueryFrontendOptions } from './query-frontend.ts';
import type { QueryAnswer, Querying } from './querying.ts';

const NOW = 1_760_000_000_000_000_000n;

function match(number: number): TraceMatch {
  return {
    traceId: hexToBytes(`${number}`.padStart(32, '0')),
    root: undefined,
    startUnixNano: NOW - BigInt(number),
    durationNanos: 0n,
    services: new Map(),
    spansets: [],
  };
}

function answer<Result>(result: Result, problems: string[] = []): QueryAnswer<Result> {
  return { result, problems, inspectedBytes: 5, blocks: 3, blockBytes: 100 };
}

const found = (traces: TraceMatch[], { more = false, unsettled = false } = {}): QueryAnswer<SearchResult> =>
  answer({ traces, more, unsettled, inspectedSpans: 9, inspectedTraces: 4 });

/** A querier that answers a search with these stages, and other questions never. */
class StagedQuerier implements Querying {
  readonly asked: Parameters<Querying['search']>[] = [];
  readonly stages: QueryAnswer<SearchResult>[];
  ended = 0;

  constructor(...stages: QueryAnswer<SearchResult>[]) {
    this.stages = stages;
  }

  query(_tenant: string, _question: unknown, _range: unknown, signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  }

  async *search(...asked: Parameters<Querying['search']>): AsyncGenerator<QueryAnswer<SearchResult>> {
    this.asked.push(asked);
    try {
      yield* this.stages;
    } finally {
      this.ended++;
    }
  }
}

/** Time that passes only when it is told to. */
function frontendOf(querier: Querying, options: Partial<QueryFrontendOptions> = {}) {
  const timers = new Set<() => void>();
  const clock = {
    after: (_ms: number, callback: () => void) => {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
  } as QueryFrontendOptions['clock'];
  const frontend = new QueryFrontend({ querier, clock, maxRunning: 1, maxWaiting: 1, timeoutMs: 30_000, ...options });
  return { frontend, timers, pass: () => timers.forEach((timer) => timer()) };
}

function searchOptions(more: Partial<SearchOptions> = {}): SearchOptions {
  return {
    query: parse('{}'),
    startUnixNano: 0n,
    endUnixNano: NOW,
    limit: 4,
    spansPerSpanset: 3,
    cursor: undefined,
    signal: new AbortController().signal,
    ...more,
  };
}

async function partsOf(search: AsyncIterable<SearchPart>): Promise<SearchPart[]> {
  const parts: SearchPart[] = [];
  for await (const part of search) parts.push(part);
  return parts;
}

test('every part of a search has what the ones before had not, and the last says that it is', async () => {
  const [one, two, three] = [match(1), match(2), match(3)];
  const querier = new StagedQuerier(
    found([one], { unsettled: true }),
    found([one], { unsettled: true }),
    found([one, two, three]),
  );
  const { frontend, timers } = frontendOf(querier);
  const parts = await partsOf(frontend.search('shop', searchOptions()));
  expect(parts.map(({ traces }) => traces)).toEqual([[one], [], [two, three]]);
  expect(parts.map(({ stats }) => [stats.completedJobs, stats.totalJobs])).toEqual([
    [3, 4],
    [3, 4],
    [4, 4],
  ]);
  expect(parts.at(-1)).toMatchObject({ cursor: undefined, problems: [] });
  expect([frontend.running, timers.size]).toEqual([0, 0]);
});

test('the cursor of a page asks for what comes after its last trace', async () => {
  const querier = new StagedQuerier(found([match(1), match(2)], { more: true }));
  const { frontend } = frontendOf(querier);
  const [page] = await partsOf(frontend.search('shop', searchOptions({ limit: 2 })));
  const cursor = page?.cursor as string;
  await partsOf(frontend.search('shop', searchOptions({ cursor })));
  expect(querier.asked.map(([, request]) => request.after)).toEqual([
    undefined,
    { startUnixNano: NOW - 2n, traceId: match(2).traceId },
  ]);
});

test('traces that come written are handed on as they are, and their last one makes the cursor', async () => {
  const written = writeTraces([match(1), match(2)], { spansets: true });
  const page = { traces: [], written, more: true, unsettled: false, inspectedSpans: 9, inspectedTraces: 4 };
  const querier = new StagedQuerier(answer(page));
  const { frontend } = frontendOf(querier);
  const asked = searchOptions({ limit: 2, written: { spansets: true } });
  const [part] = await partsOf(frontend.search('shop', asked));
  expect(part?.written).toBe(written);
  await partsOf(frontend.search('shop', { ...asked, cursor: part?.cursor }));
  expect(querier.asked.map(([, { written: form, after }]) => [form, after?.traceId])).toEqual([
    [{ spansets: true }, undefined],
    [{ spansets: true }, match(2).traceId],
  ]);
});

test('a search with a bad cursor is refused before it takes a place', async () => {
  const querier = new StagedQuerier();
  const { frontend } = frontendOf(querier);
  await expect(partsOf(frontend.search('shop', searchOptions({ cursor: 'x' })))).rejects.toMatchObject({
    kind: 'invalid',
    code: 'cursor',
  });
  expect(querier.asked).toEqual([]);
});

test('who leaves a search between its parts ends it, and gives its place back', async () => {
  const querier = new StagedQuerier(found([match(1)], { unsettled: true }), found([match(1), match(2)]));
  const { frontend, timers } = frontendOf(querier);
  for await (const { traces } of frontend.search('shop', searchOptions())) {
    expect(traces).toHaveLength(1);
    expect(frontend.running).toBe(1);
    break;
  }
  expect([frontend.running, timers.size, querier.ended]).toEqual([0, 0, 1]);
});

test('a query that takes too long is ended with advice, and the next has its turn', async () => {
  const { frontend, pass } = frontendOf(new StagedQuerier(found([])));
  const tags = { startUnixNano: 0n, endUnixNano: NOW, scope: undefined, filter: undefined, limit: 0 };
  const slow = frontend.tags('shop', { ...tags, signal: new AbortController().signal });
  const next = partsOf(frontend.search('games', searchOptions()));
  const failure = expect(slow).rejects.toMatchObject({ kind: 'deadline', message: expect.stringContaining('30 s') });
  await new Promise((resolve) => setImmediate(resolve));
  expect([frontend.running, frontend.waiting]).toEqual([1, 1]);
  pass();
  await failure;
  await expect(next).resolves.toHaveLength(1);
  expect(frontend.running).toBe(0);
});

test('a query that nobody waits for ends with the reason of its client', async () => {
  const { frontend, timers } = frontendOf(new StagedQuerier());
  const gone = new AbortController();
  const options = { startUnixNano: 0n, endUnixNano: NOW, scope: undefined, filter: undefined, limit: 0 };
  const asked = frontend.tags('shop', { ...options, signal: gone.signal });
  const failure = asked.catch((error: VivaceError) => error.message);
  await new Promise((resolve) => setImmediate(resolve));
  gone.abort(new Error('hung up'));
  expect(await failure).toBe('hung up');
  expect([frontend.running, timers.size]).toEqual([0, 0]);
});
