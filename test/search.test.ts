import type { StrictTrace } from '@vivace/api/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodePlainSpans, type PlainSpan } from './harness/plain-spans.ts';
import { countOf, queryRange, search, valuesOf } from './harness/query-client.ts';
import { startServer, type TestServer, temporaryDirectory } from './harness/server.ts';
import { flush, headBytes, replayed, sendBytes } from './harness/traces-client.ts';

// A span is found by what is in it from its acknowledgement on, wherever it lies; and a trace is judged as the whole
// that it is, wherever its parts are.

let data: ReturnType<typeof temporaryDirectory>;
let server: TestServer;

beforeEach(async () => {
  data = temporaryDirectory();
  server = await startServer({ dataDir: data.path });
});
afterEach(async () => {
  await server.kill();
  data.remove();
});

const secondsAgo = (seconds: number) => Date.now() - 1000 * seconds;
const send = (...spans: PlainSpan[]) => sendBytes(server, encodePlainSpans(spans));
const idsOf = ({ traces }: { traces: StrictTrace[] }) => traces.map(({ traceID }) => traceID);

/** That every way to ask finds the order of 4711 once, and nothing else. */
async function expectFound(): Promise<void> {
  const found = await search(server, '{ span.order.id = 4711 && resource.service.name = "shop" }');
  expect(idsOf(found)).toEqual(['a1']);
  const [trace] = found.traces;
  expect(trace).toMatchObject({ rootServiceName: 'shop', rootTraceName: 'POST /order', durationMs: 120 });
  expect(trace?.spanSets?.[0]).toMatchObject({ matched: 1, spans: [{ spanID: '0000000000000001' }] });
  expect(await countOf(server, '{ span.order.id > 4710 } | count_over_time()')).toBe(1);
  expect(await valuesOf(server, 'span.order.id')).toEqual(['4711']);
  expect(idsOf(await search(server, '{ span.order.id = 4712 }'))).toEqual([]);
}

const ORDER = {
  trace: 'a1',
  span: '1',
  name: 'POST /order',
  kind: 2,
  durationMs: 120,
  attributes: { 'order.id': 4711 },
};

test('a span is found within a second of its acknowledgement, in a block, and after a restart', async () => {
  await search(server, '{}');
  await send({ ...ORDER, startMs: secondsAgo(5) });
  const acknowledgedMs = performance.now();
  await expectFound();
  expect(performance.now() - acknowledgedMs).toBeLessThan(1000);

  await flush(server);
  expect(await headBytes(server)).toBe(0);
  await expectFound();

  expect(await server.stop()).toBe(0);
  server = await startServer({ dataDir: data.path });
  await expectFound();
});

test('a span that was acknowledged is found after kill -9, once what was in the log is read again', async () => {
  await send({ ...ORDER, startMs: secondsAgo(5) });
  await server.kill();
  server = await startServer({ dataDir: data.path });
  await replayed(server);
  await expectFound();
  await flush(server);
  await server.kill();
  server = await startServer({ dataDir: data.path });
  await replayed(server);
  await expectFound();
});

test('who searches all the time never sees a span go away while it moves into a block', async () => {
  await send({ ...ORDER, startMs: secondsAgo(5) });
  let searches = 0;
  let moving = true;
  const looking = (async () => {
    for (; moving; searches++) {
      expect(idsOf(await search(server, '{ span.order.id = 4711 }'))).toHaveLength(1);
      expect(await countOf(server, '{ span.order.id = 4711 } | count_over_time()')).toBe(1);
    }
  })();
  for (let cut = 0; cut < 5 || searches < 3; cut++) {
    await send({ trace: `b${cut}`, span: '1', startMs: secondsAgo(4) });
    await flush(server);
  }
  moving = false;
  await looking;
});

describe('a trace of which a part is in a block and a part in the head', () => {
  const startMs = secondsAgo(60);
  const root: PlainSpan = { trace: 'c1', span: '1', name: 'GET /cart', kind: 2, startMs, durationMs: 100 };
  const child: PlainSpan = {
    trace: 'c1',
    span: '2',
    parent: '1',
    service: 'stock',
    name: 'reserve',
    kind: 3,
    failed: true,
    startMs: startMs + 50,
    durationMs: 250,
    attributes: { item: 'cup' },
  };
  const other: PlainSpan = { trace: 'c2', span: '1', service: 'stock', name: 'reserve', startMs: startMs - 1000 };

  async function expectWhole(): Promise<void> {
    const both = await search(server, '{ name = "GET /cart" } && { span.item = "cup" }');
    expect(both.traces).toHaveLength(1);
    expect(both.traces[0]).toMatchObject({
      traceID: 'c1',
      rootServiceName: 'shop',
      rootTraceName: 'GET /cart',
      startTimeUnixNano: String(BigInt(startMs) * 1_000_000n),
      durationMs: 300,
      serviceStats: { shop: { spanCount: 1 }, stock: { spanCount: 1, errorCount: 1 } },
      spanSets: [{ matched: 2 }],
    });
    for (const [query, ids] of [
      ['{ name = "GET /cart" } > { name = "reserve" }', ['c1']],
      ['{ name = "reserve" } && { name = "GET /cart" } | count() = 2', ['c1']],
      ['{ trace:duration = 300ms && rootServiceName = "shop" && name = "reserve" }', ['c1']],
      ['{ trace:duration < 300ms && name = "reserve" }', ['c2']],
      ['{ nestedSetParent < 0 && name = "reserve" }', ['c2']],
      ['{ name = "reserve" } !< { name = "GET /cart" }', []],
      ['{ span:childCount = 1 }', ['c1']],
    ] as const) {
      expect(idsOf(await search(server, query)), query).toEqual([...ids]);
    }
    expect(await countOf(server, '{ rootName = "GET /cart" } | count_over_time()')).toBe(2);
  }

  test('is judged as a whole, whichever part is where, and as one block', async () => {
    await send(root, other);
    await flush(server);
    await send(child);
    await expectWhole();
    await flush(server);
    await expectWhole();
  });

  test('is judged as a whole when the root comes last', async () => {
    await send(child, other);
    await flush(server);
    await send(root);
    await expectWhole();
  });

  test('counts a span that was sent again once, in the head, over block and head, and over blocks', async () => {
    const expectOnce = async (where: string) => {
      const q = '{ name = "reserve" && span.item = "cup" } | count() = 1';
      const [trace] = (await search(server, q)).traces;
      expect(trace?.spanSets?.[0]?.matched, where).toBe(1);
      expect(trace?.serviceStats, where).toEqual({ stock: { spanCount: 1, errorCount: 1 } });
      expect(await countOf(server, '{ name = "reserve" } | count_over_time()'), where).toBe(1);
      const range = { start: Math.floor(startMs / 1000) - 60, end: Math.ceil(startMs / 1000) + 60, step: '10s' };
      const { series = [] } = await queryRange(server, '{ name = "reserve" } | rate()', range);
      const rates = series.flatMap(({ samples }) => samples ?? []).map(({ value }) => Number(value ?? 0));
      expect(
        rates.filter((rate) => rate > 0),
        where,
      ).toEqual([0.1]);
    };
    await send(child);
    await send(child);
    await expectOnce('in the head');
    await flush(server);
    await expectOnce('in a block');
    await send(child);
    await expectOnce('over block and head');
    await flush(server);
    await expectOnce('over blocks');
  });
});

test('spans of this moment are found without saying when', async () => {
  await send(
    { trace: 'd1', span: '1', startMs: secondsAgo(1), attributes: { fresh: 'yes' } },
    { trace: 'd2', span: '1', startMs: secondsAgo(0), attributes: { fresh: 'yes' } },
  );
  expect(idsOf(await search(server, '{ span.fresh = "yes" }'))).toEqual(['d2', 'd1']);
});
