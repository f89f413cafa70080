import { fraction, seededRandom, systemClock } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createCountingStore } from './counting-store.ts';
import { createFaultyStore, type FaultCall, type FaultPlan } from './faulty-store.ts';
import { createHedgingStore, type HedgingOptions } from './hedging-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { createMeteredStore, type StoreCall } from './metered-store.ts';
import { createRetryingStore } from './retrying-store.ts';
import { createS3Store } from './s3-store.ts';
import { startS3Server } from './testing/s3-server.ts';

describeObjectStore('a store that sends slow reads once more', async () => {
  const random = seededRandom(6);
  const slow = createFaultyStore(createMemoryStore(), {
    plan: ({ operation }) => (operation === 'get' ? { kind: 'slow', delayMs: random.u32() % 4 } : undefined),
  });
  return { store: createHedgingStore(slow, { delayMs: 1 }) };
});

const KEY = 'a';
const range = { offset: 0, length: 3 };

/** A store in virtual time. */
async function slowStore(options: Partial<HedgingOptions>, plan: FaultPlan) {
  const scheduler = createScheduler(seededRandom(1));
  const { clock } = scheduler;
  const calls: StoreCall[] = [];
  const ended: string[] = [];
  const memory = createMemoryStore();
  await memory.put(KEY, [Uint8Array.of(1, 2, 3, 4)]);
  const counting = createCountingStore(createFaultyStore(memory, { plan, clock }));
  const metered = createMeteredStore(counting, { metrics: { observe: (call) => calls.push(call) }, clock });
  const store = createHedgingStore(metered, {
    delayMs: 100,
    clock,
    metrics: { ended: (answered) => ended.push(answered), denied: () => ended.push('denied') },
    ...options,
  });
  const settled = async <T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown; ms: number }> => {
    const startMs = clock.monotonicMs();
    let outcome: { value?: T; error?: unknown; ms: number } | undefined;
    promise.then(
      (value) => (outcome = { value, ms: clock.monotonicMs() - startMs }),
      (error: unknown) => (outcome = { error, ms: clock.monotonicMs() - startMs }),
    );
    await scheduler.run(() => outcome !== undefined);
    return outcome as unknown as { value?: T; error?: unknown; ms: number };
  };
  const rows = () => calls.map(({ operation, outcome, seconds }) => `${operation} ${outcome} ${seconds}`);
  return { store, scheduler, settled, counts: counting.counts, ended, rows };
}

/** The first gets take so long, the others nothing. */
function delays(...ms: number[]): FaultPlan {
  return ({ number }: FaultCall) => {
    const delayMs = ms[number - 1];
    return delayMs === undefined ? undefined : { kind: 'slow', delayMs };
  };
}

describe('a read that takes unusually long', () => {
  test('is sent once more, and the answer that comes first ends the other', async () => {
    const { store, settled, ended, rows } = await slowStore({}, delays(5000, 30));
    const { value, ms } = await settled(store.get(KEY, { range }));
    expect([...(value?.bytes ?? [])]).toEqual([1, 2, 3]);
    expect([ms, ended]).toEqual([130, ['later']]);
    expect(rows()).toEqual(['get-range ok 0.03', 'get-range canceled 0.13']);
  });

  test('is answered by the first request where that is the faster one after all', async () => {
    const { store, settled, ended, rows } = await slowStore({}, delays(150, 5000));
    expect((await settled(store.get(KEY))).ms).toBe(150);
    expect([ended, rows()]).toEqual([['first'], ['get ok 0.15', 'get canceled 0.05']]);
  });

  test('is sent as often as it may be, each time after the same wait', async () => {
    const plan: FaultPlan = ({ number }) => (number > 40 ? { kind: 'slow', delayMs: 9000 } : undefined);
    const { store, settled, rows, counts } = await slowStore({ maxRequests: 3 }, plan);
    for (let i = 0; i < 40; i++) await store.get('none').catch(() => undefined);
    expect((await settled(store.get(KEY))).ms).toBe(9000);
    expect(rows().slice(40)).toEqual(['get ok 9', 'get canceled 8.9', 'get canceled 8.8']);
    expect(counts.gets).toBe(43);
  });

  test('is sent once where nothing else is asked for', async () => {
    const { store, settled, counts } = await slowStore({ maxRequests: 1 }, delays(9000));
    expect([(await settled(store.get(KEY))).ms, counts.gets]).toEqual([9000, 1]);
  });
});

describe('a read that fails', () => {
  test('fails at once, and is not sent once more: that is for the retries', async () => {
    const { store, settled, counts } = await slowStore({}, () => ({ kind: 'refused', answer: '503' }));
    expect(await settled(store.get(KEY))).toMatchObject({ error: { kind: 'unavailable' }, ms: 0 });
    expect(counts.gets).toBe(1);
  });

  test('waits for the other request, and fails when that does', async () => {
    const plan: FaultPlan = ({ number }) =>
      number === 1 ? { kind: 'slow', delayMs: 300 } : { kind: 'refused', answer: 'reset' };
    const { store, settled } = await slowStore({}, plan);
    expect(await settled(store.get(KEY))).toMatchObject({ value: { size: 4 }, ms: 300 });
    const failing = await slowStore({}, ({ number }) => ({ kind: 'late', delayMs: number }));
    expect(await failing.settled(failing.store.get(KEY))).toMatchObject({ error: { code: 'store-timeout' }, ms: 0 });
  });

  test('has its answer where one of the two knows that there is no such object', async () => {
    const { store, settled, rows } = await slowStore({}, delays(5000));
    expect(await settled(store.get('none'))).toMatchObject({ error: { kind: 'not-found' }, ms: 100 });
    expect(rows()).toEqual(['get not-found 0', 'get canceled 0.1']);
  });

  test('ends with its caller, both requests of it', async () => {
    const { store, scheduler, settled, rows } = await slowStore({}, delays(5000, 5000));
    const caller = new AbortController();
    scheduler.clock.after(400, () => caller.abort());
    expect(await settled(store.get(KEY, { signal: caller.signal }))).toMatchObject({
      error: { kind: 'canceled' },
      ms: 400,
    });
    expect(rows()).toEqual(['get canceled 0.4', 'get canceled 0.3']);
    const before = scheduler.clock.monotonicMs();
    await scheduler.run(() => false);
    expect(scheduler.clock.monotonicMs()).toBe(before);
  });
});

test('a store that is slow as a whole gets one request more for twenty reads, and a few at first', async () => {
  const { store, settled, counts, ended } = await slowStore({}, () => ({ kind: 'slow', delayMs: 1000 }));
  for (let i = 0; i < 600; i++) await settled(store.get(KEY));
  expect(counts.gets - 600).toBeGreaterThan(25);
  expect(counts.gets - 600).toBeLessThanOrEqual(1 + 600 / 20);
  expect(ended.filter((how) => how === 'denied').length).toBe(1200 - counts.gets);
});

test('writes, lists and heads are sent once, however long they take', async () => {
  const { store, settled, counts } = await slowStore({}, () => ({ kind: 'slow', delayMs: 5000 }));
  await settled(store.put('b', [Uint8Array.of(1)]));
  await settled(store.head('b'));
  await settled(store.list(''));
  await settled(store.delete('b'));
  expect(counts).toMatchObject({ puts: 1, heads: 1, lists: 1, deletes: 1 });
});

describe('without a delay that is set', () => {
  /** Of a hundred reads one takes two seconds, the others 20 to 60 ms. */
  async function tail(hedges: boolean) {
    const random = seededRandom(8);
    const plan: FaultPlan = () => ({
      kind: 'slow',
      delayMs: fraction(random) < 0.01 ? 2000 : 20 + Math.floor(40 * fraction(random)),
    });
    const { store, settled, counts } = await slowStore({ delayMs: 'auto', maxRequests: hedges ? 2 : 1 }, plan);
    const ms: number[] = [];
    for (let i = 0; i < 3000; i++) ms.push((await settled(store.get(KEY, { range }))).ms);
    ms.sort((a, b) => a - b);
    return { p50: ms[1500] as number, p995: ms[2985] as number, more: counts.ranges - 3000 };
  }

  test('reads that take longer than nineteen of twenty do are sent once more', async () => {
    const [without, hedged] = [await tail(false), await tail(true)];
    console.info(
      `p50 ${without.p50} → ${hedged.p50} ms, p99.5 ${without.p995} → ${hedged.p995} ms, ${hedged.more} more`,
    );
    expect(without.p995).toBe(2000);
    expect(hedged.p995).toBeLessThan(130);
    expect(hedged.p50).toBeLessThan(50);
    expect(hedged.more).toBeGreaterThan(25);
    expect(hedged.more).toBeLessThanOrEqual(3000 / 20 + 1);
  });

  test('none is, before it is known how long they take', async () => {
    const { store, settled, counts } = await slowStore(
      { delayMs: 'auto' },
      delays(...Array<number>(63).fill(10), 9000),
    );
    for (let i = 0; i < 64; i++) await settled(store.get(KEY));
    expect(counts.gets).toBe(64);
  });
});

test('over HTTP the request that was slow is cut off, and others go on', async () => {
  const server = await startS3Server({ buckets: ['b'] });
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const s3 = await createS3Store({ bucket: 'b', endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  onTestFinished(async () => {
    await s3.close();
    await server.close();
  });
  const calls: string[] = [];
  const observe = ({ operation, outcome }: StoreCall) => calls.push(`${operation} ${outcome}`);
  const store = createHedgingStore(createMeteredStore(s3, { metrics: { observe } }), { delayMs: 200 });
  await s3.put(KEY, [Uint8Array.of(1, 2, 3, 4)]);
  let gets = 0;
  server.fault = ({ method }) => (method === 'GET' && ++gets === 1 ? { kind: 'delay', delayMs: 8000 } : undefined);
  const startMs = systemClock.monotonicMs();
  expect([...(await store.get(KEY, { range })).bytes]).toEqual([1, 2, 3]);
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(4000);
  await expect.poll(() => calls).toEqual(['get-range ok', 'get-range canceled']);
  for (let i = 0; i < 5; i++) expect((await store.get(KEY)).size).toBe(4);
  expect(gets).toBe(7);
});

test('below the retries a read that fails is tried again, and each try is sent once more where it is slow', async () => {
  const plan: FaultPlan = ({ number }) =>
    number === 1 ? { kind: 'refused', answer: '503' } : number === 2 ? { kind: 'slow', delayMs: 5000 } : undefined;
  const { store, scheduler, settled, counts } = await slowStore({}, plan);
  const retrying = createRetryingStore(store, { clock: scheduler.clock, random: seededRandom(2) });
  const { value, ms } = await settled(retrying.get(KEY));
  expect([value?.size, counts.gets]).toEqual([4, 3]);
  expect(ms).toBeLessThanOrEqual(150);
});
