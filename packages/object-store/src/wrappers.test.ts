import { type Clock, seededRandom, systemClock } from '@vivace/kernel';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createCountingStore } from './counting-store.ts';
import { createFaultyStore, type FaultAnswer, type FaultCall, seededFaults } from './faulty-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { createMeteredStore, type StoreCall } from './metered-store.ts';
import { createStoreMetrics } from './store-metrics.ts';

describeObjectStore('a metered store', async () => ({
  store: createMeteredStore(createMemoryStore(), { metrics: createStoreMetrics(new Registry()) }),
}));
describeObjectStore('a counting store', async () => ({ store: createCountingStore(createMemoryStore()) }));
describeObjectStore('a faulty store without faults', async () => ({ store: createFaultyStore(createMemoryStore()) }));
describeObjectStore('a faulty store that is only slow', async () => {
  const random = seededRandom(5);
  return {
    store: createFaultyStore(createMemoryStore(), { plan: () => ({ kind: 'slow', delayMs: random.u32() % 2 }) }),
  };
});

const body = [new Uint8Array(10), new Uint8Array(5)];

describe('a metered store', () => {
  test('reports operation, outcome, time and bytes of each call', async () => {
    const calls: StoreCall[] = [];
    let now = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => (now += 500) };
    const store = createMeteredStore(createMemoryStore(), { metrics: { observe: (call) => calls.push(call) }, clock });
    const { etag } = await store.put('a', body);
    await store.get('a');
    await store.get('a', { range: { offset: 0, length: 3 } });
    await store.get('a', { ifNoneMatch: etag });
    await store.put('a', body, { only: 'absent' }).catch(() => undefined);
    await store.head('none').catch(() => undefined);
    await store.list('');
    await store.delete('a');
    const row = ({ operation, outcome, bytesRead, bytesWritten }: StoreCall) =>
      `${operation} ${outcome} ${bytesRead} ${bytesWritten}`;
    expect(calls.map(row)).toEqual([
      'put ok 0 15',
      'get ok 15 0',
      'get-range ok 3 0',
      'get not-modified 0 0',
      'put-if conflict 0 0',
      'head not-found 0 0',
      'list ok 0 0',
      'delete ok 0 0',
    ]);
    expect(calls.every(({ seconds }) => seconds === 0.5)).toBe(true);
  });

  test('shows in a Prometheus registry', async () => {
    const registry = new Registry();
    const store = createMeteredStore(createMemoryStore(), { metrics: createStoreMetrics(registry) });
    await store.put('a', body);
    await store.get('a');
    await store.get('b').catch(() => undefined);
    const text = await registry.metrics();
    expect(text).toContain('request_duration_seconds_count{operation="get",outcome="ok"} 1');
    expect(text).toContain('request_duration_seconds_count{operation="get",outcome="not-found"} 1');
    expect(text).toContain('vivace_object_store_bytes_total{direction="written"} 15');
    expect(text).toContain('vivace_object_store_bytes_total{direction="read"} 15');
  });
});

test('a counting store counts calls and bytes, from zero again after a reset', async () => {
  const store = createCountingStore(createMemoryStore());
  await store.put('a', body);
  await store.get('a');
  await store.get('a', { range: { offset: 0, length: 4 } });
  await store.get('none').catch(() => undefined);
  await store.head('a');
  await store.list('');
  await store.delete('a');
  expect(store.counts).toEqual({
    gets: 2,
    ranges: 1,
    puts: 1,
    deletes: 1,
    heads: 1,
    lists: 1,
    uploads: 0,
    pieces: 0,
    bytesRead: 19,
    bytesWritten: 15,
  });
  store.reset();
  expect(Object.values(store.counts).every((count) => count === 0)).toBe(true);
});

describe('a faulty store', () => {
  const kinds: Record<FaultAnswer, object> = {
    '409': { kind: 'conflict', code: 'conditional-conflict' },
    '412': { kind: 'conflict', code: 'precondition-failed' },
    '429': { kind: 'limited', code: 'store-slow-down', retryAfterMs: expect.any(Number) },
    '500': { kind: 'unavailable' },
    '503': { kind: 'unavailable' },
    reset: { kind: 'unavailable' },
    timeout: { kind: 'unavailable' },
  };
  for (const answer of Object.keys(kinds) as FaultAnswer[]) {
    test(`answers ${answer} to what it refused and to what it did`, async () => {
      const inner = createMemoryStore();
      const refusing = createFaultyStore(inner, { plan: () => ({ kind: 'refused', answer }) });
      await expect(refusing.put('refused', body)).rejects.toMatchObject(kinds[answer]);
      const doing = createFaultyStore(inner, { plan: () => ({ kind: 'done', answer }) });
      await expect(doing.put('done', body)).rejects.toMatchObject(kinds[answer]);
      expect((await inner.list('')).objects.map(({ key }) => key)).toEqual(['done']);
    });
  }

  test('lands a late put after its caller was told of a timeout, with the bytes of the call', async () => {
    const inner = createMemoryStore();
    const store = createFaultyStore(inner, { plan: () => ({ kind: 'late', delayMs: 20 }) });
    const bytes = Uint8Array.of(1);
    const controller = new AbortController();
    const put = store.put('a', [bytes], { only: 'absent', signal: controller.signal });
    await expect(put).rejects.toMatchObject({ code: 'store-timeout' });
    controller.abort();
    bytes[0] = 2;
    await expect(inner.get('a')).rejects.toMatchObject({ kind: 'not-found' });
    await store.settle();
    expect((await inner.get('a')).bytes).toEqual(Uint8Array.of(1));
  });

  test('lets a late conditional put fail unheard', async () => {
    const inner = createMemoryStore();
    const store = createFaultyStore(inner, { plan: () => ({ kind: 'late', delayMs: 5 }) });
    await store.put('a', [Uint8Array.of(1)], { only: 'absent' }).catch(() => undefined);
    await inner.put('a', [Uint8Array.of(2)]);
    await store.settle();
    expect((await inner.get('a')).bytes).toEqual(Uint8Array.of(2));
  });

  test('is down as long as the switch says', async () => {
    const store = createFaultyStore(createMemoryStore());
    store.down = true;
    await expect(store.put('a', body)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.list('')).rejects.toMatchObject({ kind: 'unavailable' });
    store.down = false;
    expect((await store.list('')).objects).toEqual([]);
  });

  test('asks its plan with each call in order', async () => {
    const calls: FaultCall[] = [];
    const store = createFaultyStore(createMemoryStore(), { plan: (call) => void calls.push(call) });
    await store.put('a', body, { only: 'absent' });
    await store.list('p');
    expect(calls).toEqual([
      { operation: 'put', key: 'a', conditional: true, number: 1 },
      { operation: 'list', key: 'p', conditional: false, number: 2 },
    ]);
  });

  test('draws the same faults from the same seed, as many as asked for, each that fits', () => {
    const draw = (seed: number, operation: FaultCall['operation'], conditional: boolean) => {
      const plan = seededFaults({ random: seededRandom(seed), rate: 0.3, maxDelayMs: 10 });
      return Array.from({ length: 2000 }, (_, i) => plan({ operation, key: 'a', conditional, number: i + 1 }));
    };
    expect(draw(1, 'put', true)).toEqual(draw(1, 'put', true));
    expect(draw(1, 'put', true)).not.toEqual(draw(2, 'put', true));
    const kinds = (faults: ReturnType<typeof draw>) => new Set(faults.flatMap((fault) => fault?.kind ?? []));
    const puts = draw(1, 'put', true);
    expect(puts.filter(Boolean).length / 2000).toBeCloseTo(0.3, 1);
    expect(kinds(puts)).toEqual(new Set(['refused', 'done', 'late', 'slow']));
    expect(kinds(draw(1, 'get', false))).toEqual(new Set(['refused', 'slow']));
    const answers = (faults: ReturnType<typeof draw>) =>
      new Set(faults.flatMap((fault) => (fault && 'answer' in fault ? fault.answer : [])));
    expect(answers(puts)).toEqual(new Set(['409', '412', '429', '500', '503', 'reset', 'timeout']));
    expect([...answers(draw(1, 'put', false))]).not.toContain('409');
  });
});
