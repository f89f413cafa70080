import { Health, type Member } from '@vivace/cluster';
import { seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import { ChannelPool, createCallChannel, createQueryClient, type QueryServing } from '@vivace/rpc';
import { startQueryServer, type TestRpcServer } from '@vivace/rpc/testing';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Dispatcher, Lookout, RemoteQuerier } from './index.ts';

/*
 * Queriers behind real connections that go away and come back at the same address.
 */

const never = new AbortController().signal;

/** Answers lookups with an empty trace, and counts them. */
function serving() {
  let asked = 0;
  const querier: QueryServing = {
    findTrace: async () => {
      asked++;
      return { trace: undefined, complete: true, problems: [], inspectedBytes: asked } as never;
    },
    query: () => Promise.reject(new VivaceError('internal', 'test', 'not asked here')),
    search: async function* () {},
  };
  return { querier, asked: () => asked };
}

function setUp(members: readonly Member[], options: { timeoutMs?: number; maxWaiting?: number } = {}) {
  const { timeoutMs = 30_000, maxWaiting } = options;
  const random = seededRandom(3);
  const channels = new ChannelPool({ open: createCallChannel, clock: systemClock });
  onTestFinished(() => channels.close());
  let lookedUp = 0;
  const lookout = new Lookout({
    members: () => members,
    reach: (member) => channels.get(member).reach(),
    lookUp: () => lookedUp++,
    clock: systemClock,
    timeoutMs,
    ...(maxWaiting !== undefined && { maxWaiting }),
  });
  const health = new Health({ clock: systemClock, random });
  const dispatcher = new Dispatcher({ members: () => members, health, random, lookout });
  const client = (member: Member) => createQueryClient(channels.get(member));
  const remote = new RemoteQuerier({ dispatcher, client, timeoutMs });
  const find = (signal = never) => remote.findTrace('shop', new Uint8Array(16), { maxBytes: 1000, signal });
  return { find, lookout, dispatcher, lookedUp: () => lookedUp };
}

async function stop(...servers: TestRpcServer[]): Promise<void> {
  await Promise.all(servers.map(({ server }) => server.stop()));
}

test('while no querier is there questions wait, and go to the first that is back', { timeout: 20_000 }, async () => {
  const first = serving();
  const servers = await Promise.all([startQueryServer(first.querier), startQueryServer(first.querier)]);
  const { find, lookout, lookedUp } = setUp(servers);
  await find();
  await stop(...servers);
  const startMs = performance.now();
  const answers = Promise.all(Array.from({ length: 20 }, () => find()));
  await vi.waitUntil(() => lookout.waiting === 20);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(lookout.waiting).toBe(20);
  // The frontend has seen it fail for two seconds: it is not left alone for longer because of that.
  const back = serving();
  const backMs = performance.now();
  await startQueryServer(back.querier, servers[1].port);
  await answers;
  expect(performance.now() - backMs).toBeLessThan(1500);
  expect(performance.now() - startMs).toBeGreaterThan(2000);
  expect([back.asked(), lookout.waiting]).toEqual([20, 0]);
  expect(lookedUp()).toBeGreaterThan(2);
  // Nothing looks on when nobody waits.
  const looks = lookedUp();
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(lookedUp()).toBe(looks);
});

test('who waits for longer than the bound is told so, with a time to try again', { timeout: 20_000 }, async () => {
  const { querier } = serving();
  const servers = await Promise.all([startQueryServer(querier), startQueryServer(querier)]);
  await stop(...servers);
  for (const [timeoutMs, waitMs] of [
    [30_000, 5000],
    [1000, 500],
  ] as const) {
    const { find, lookout } = setUp(servers, { timeoutMs });
    const startMs = performance.now();
    await expect(find()).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'no-querier',
      retryAfterMs: 1000,
      message: expect.stringMatching(
        new RegExp(
          `^no querier could be reached in ${waitMs / 1000} s: 127.0.0.1:[0-9]+ cannot be reached: .*ECONNREFUSED`,
        ),
      ),
    });
    expect(performance.now() - startMs).toBeGreaterThan(waitMs - 50);
    expect(performance.now() - startMs).toBeLessThan(waitMs + 1000);
    expect(lookout.waiting).toBe(0);
  }
});

test('who leaves while it waits gives its place to another, and there are no more places than set', async () => {
  const server = await startQueryServer(serving().querier);
  await stop(server);
  const { find, lookout } = setUp([server], { maxWaiting: 2 });
  const clients = [new AbortController(), new AbortController()];
  const waiting = clients.map(({ signal }) => find(signal).catch((error: unknown) => error));
  await vi.waitUntil(() => lookout.waiting === 2);
  await expect(find()).rejects.toMatchObject({
    code: 'no-querier',
    message: expect.stringContaining('2 queries wait'),
  });
  clients[0]?.abort(new VivaceError('canceled', 'left', 'the client left'));
  expect(await waiting[0]).toMatchObject({ code: 'left' });
  expect(lookout.waiting).toBe(1);
  const third = find();
  await vi.waitUntil(() => lookout.waiting === 2);
  const back = serving();
  await startQueryServer(back.querier, server.port);
  await third;
  await waiting[1];
  expect(back.asked()).toBe(2);
});

test('a question whose querier goes away under it is asked of another, before anybody hears of it', async () => {
  const begun = Promise.withResolvers<void>();
  const held: QueryServing = {
    ...serving().querier,
    findTrace: (_, __, { signal }) =>
      new Promise((_resolve, reject) => {
        begun.resolve();
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  };
  const dying = await startQueryServer(held);
  const { find, dispatcher } = setUp([dying]);
  const answer = find();
  await begun.promise;
  await stop(dying);
  const back = serving();
  await startQueryServer(back.querier, dying.port);
  await answer;
  expect([back.asked(), dispatcher.retries]).toEqual([1, 1]);
});
