import { decodeSearchStrictly, type StrictTrace } from '@vivace/api/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePlainSpans, type PlainSpan } from './harness/plain-spans.ts';
import { ask, countOf, search, searchPages, valuesOf } from './harness/query-client.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, sendBytes } from './harness/traces-client.ts';

// The order of answers, their limits and pages, over traces in blocks, in the head and in both; tenants side by side.

const data = temporaryDirectory();
const TRACES = 90;
const GROUPS = 16;
/** More than a search looks at first. */
const BLOCKS = GROUPS - 2;
const NOW_MS = Date.now();
const shop = { tenant: 'shop' };
let server: TestServer;

/** Traces ten seconds apart, those of a number that five divides at the moment of the one before. */
const startMs = (trace: number) => NOW_MS - 5000 * (trace - (trace % 5 === 0 && trace > 0 ? 1 : 0)) - 20_000;
const idOf = (trace: number) => (0x1000 + trace).toString(16);
const spansOf = (trace: number): PlainSpan[] => [
  { trace: idOf(trace), span: '1', name: `GET /${trace % 3}`, kind: 2, startMs: startMs(trace), durationMs: 300 },
  ...[2, 3, 4, 5].map((span) => ({
    trace: idOf(trace),
    span: `${span}`,
    parent: '1',
    service: span % 2 === 0 ? 'stock' : 'mail',
    name: 'call',
    kind: 3,
    failed: trace % 10 === 3 && span === 5,
    startMs: startMs(trace) + span,
    durationMs: 10 * span,
    attributes: { number: trace },
  })),
];
const numbers = Array.from({ length: TRACES }, (_, trace) => trace);
/** By start, newest first, then by id. */
const ORDERED = [...numbers].sort((a, b) => startMs(b) - startMs(a) || (idOf(a) < idOf(b) ? -1 : 1)).map(idOf);

beforeAll(async () => {
  server = await startServer({ dataDir: data.path, env: { VIVACE_MULTITENANCY_ENABLED: 'true' } });
  const send = (spans: PlainSpan[], tenant = 'shop') => sendBytes(server, encodePlainSpans(spans), { tenant });
  // Blocks of consecutive times, the newest two groups in the head. Every fourth trace has its later spans in the group
  // after the next, so that a search that has read the newest blocks does not know yet what is whole.
  const groups = Array.from({ length: GROUPS + 2 }, (): PlainSpan[] => []);
  for (const trace of numbers) {
    const group = GROUPS - 1 - Math.floor((trace * GROUPS) / TRACES);
    for (const span of spansOf(trace)) {
      groups[group + (trace % 4 === 0 && Number(span.span) >= 3 ? 2 : 0)]?.push(span);
    }
  }
  for (const [group, spans] of groups.entries()) {
    await send(spans);
    if (group < BLOCKS) await flush(server);
  }
  await send(
    [{ trace: 'ff01', span: '1', service: 'games', startMs: NOW_MS - 3000, attributes: { level: 7 } }],
    'games',
  );
  // A trace that both tenants have a part of.
  await send([{ trace: idOf(0), span: '9', service: 'games', startMs: startMs(0) + 1 }], 'games');
});
afterAll(async () => {
  await server.stop();
  data.remove();
});

const ids = (traces: readonly StrictTrace[]) => traces.map(({ traceID }) => traceID);

describe('a search', () => {
  test('gives the newest traces first, as many as were asked for, the same twice', async () => {
    const all = await search(server, '{}', { limit: 1000 }, shop);
    expect(ids(all.traces)).toEqual(ORDERED);
    expect(all.cursor).toBeUndefined();
    for (const limit of [1, 7, 20, TRACES]) {
      const some = await search(server, '{}', { limit }, shop);
      expect(ids(some.traces), `limit ${limit}`).toEqual(ORDERED.slice(0, limit));
      expect(some.cursor === undefined, `limit ${limit}`).toBe(limit === TRACES);
      expect(ids((await search(server, '{}', { limit }, shop)).traces)).toEqual(ids(some.traces));
    }
    expect((await search(server, '{}', {}, shop)).traces).toHaveLength(20);
  });

  test('gives every trace once and in order over its pages, whatever their size', async () => {
    for (const limit of [1, 7, 30, 89, 90]) {
      const { traces, pages } = await searchPages(server, '{}', { limit }, shop);
      expect(ids(traces), `limit ${limit}`).toEqual(ORDERED);
      expect(pages).toBe(Math.ceil(TRACES / limit));
    }
    const third = numbers.filter((trace) => trace % 3 === 1).map(idOf);
    const { traces } = await searchPages(server, '{ name = "GET /1" } >> { name = "call" }', { limit: 4 }, shop);
    expect(ids(traces)).toEqual(ORDERED.filter((id) => third.includes(id)));
  });

  test('goes on where it was when newer traces have come in and old ones have moved', async () => {
    const first = await search(server, '{ span.number >= 0 }', { limit: 40 }, shop);
    await sendBytes(
      server,
      encodePlainSpans([{ trace: 'eeee', span: '1', startMs: NOW_MS, attributes: { n: 1 } }]),
      shop,
    );
    await flush(server);
    const next = await search(
      server,
      '{ span.number >= 0 }',
      { limit: 100, ...(first.cursor !== undefined && { cursor: first.cursor }) },
      shop,
    );
    expect([...ids(first.traces), ...ids(next.traces)]).toEqual(ORDERED);
  });

  test('shows as many spans of a set as were asked for, and says how many there are', async () => {
    for (const [spss, shown] of [
      [undefined, 3],
      [1, 1],
      [4, 4],
      [0, 4],
    ] as const) {
      const { traces } = await search(server, '{ name = "call" }', spss === undefined ? {} : { spss }, shop);
      expect(traces).toHaveLength(20);
      for (const { spanSets, serviceStats } of traces) {
        expect(spanSets?.[0]?.spans).toHaveLength(shown);
        expect(spanSets?.[0]?.matched).toBe(4);
        expect(Object.values(serviceStats ?? {}).reduce((sum, { spanCount = 0 }) => sum + spanCount, 0)).toBe(5);
      }
    }
  });

  test('of a time gives the traces that were going on in it', async () => {
    const [start, end] = [Math.floor((NOW_MS - 200_000) / 1000), Math.floor((NOW_MS - 100_000) / 1000)];
    const { traces } = await search(server, '{}', { start, end, limit: 100 }, shop);
    const within = numbers.filter((trace) => startMs(trace) <= end * 1000 && startMs(trace) + 300 >= start * 1000);
    expect(within.length).toBeGreaterThan(10);
    expect(ids(traces)).toEqual(ORDERED.filter((id) => within.map(idOf).includes(id)));
  });

  test('with a cursor that is none is refused', async () => {
    for (const cursor of ['x', '1-2', `${'z'.repeat(13)}-${'0'.repeat(32)}`, 'a'.repeat(2000), '\u0000', 'é']) {
      const { status, text } = await ask(server, '/api/search', { q: '{}', cursor }, shop);
      expect([status, text]).toEqual([400, expect.stringContaining('cursor')]);
    }
  });
});

describe('a search from before TraceQL', () => {
  const byTags = async (parameters: Record<string, string | number>) => {
    const { status, text } = await ask(server, '/api/search', { limit: 1000, ...parameters }, shop);
    expect(status, text).toBe(200);
    return decodeSearchStrictly(text).traces;
  };

  test('finds traces by tags and durations, without spans', async () => {
    const failed = await byTags({ tags: 'service.name=mail status.code=error' });
    expect(ids(failed)).toEqual(ORDERED.filter((id) => (Number.parseInt(id, 16) - 0x1000) % 10 === 3));
    expect(failed.every(({ spanSets, spanSet }) => spanSets === undefined && spanSet === undefined)).toBe(true);
    expect(ids(await byTags({ tags: 'number=17' }))).toEqual([idOf(17)]);
    expect(ids(await byTags({ tags: 'number=17', maxDuration: '5ms' }))).toEqual([]);
    expect(await byTags({ minDuration: '250ms' })).toHaveLength(TRACES);
    expect(await byTags({ tags: 'service.name=nobody' })).toEqual([]);
  });
});

describe('tenants', () => {
  test('see their own spans only', async () => {
    expect(ids((await search(server, '{}', {}, { tenant: 'games' })).traces)).toEqual(['ff01', idOf(0)]);
    expect((await search(server, '{ span.level = 7 }', {}, shop)).traces).toEqual([]);
    expect(await valuesOf(server, 'resource.service.name', { tenant: 'games' })).toEqual(['games']);
    expect((await search(server, '{}', {}, { tenant: 'nobody' })).traces).toEqual([]);
  });

  test('that are asked together are answered as one, a trace of both once', async () => {
    const both = { tenant: 'shop|games' };
    const { traces } = await search(
      server,
      '{ span.number >= 0 || resource.service.name = "games" }',
      { limit: 1000 },
      both,
    );
    expect(ids(traces)).toEqual(['ff01', ...ORDERED]);
    expect(traces.find(({ traceID }) => traceID === idOf(0))?.serviceStats).toMatchObject({
      shop: { spanCount: 1 },
      games: { spanCount: 1 },
    });
    expect(await valuesOf(server, 'resource.service.name', both)).toEqual(['games', 'mail', 'shop', 'stock']);
    const q = '{ kind = client || resource.service.name = "games" } | count_over_time()';
    expect(await countOf(server, q, both)).toBe(4 * TRACES + 2);
  });

  test('have to be named', async () => {
    const { status, text } = await ask(server, '/api/search', { q: '{}' });
    expect([status, text]).toEqual([401, expect.stringContaining('no org id')]);
  });
});
