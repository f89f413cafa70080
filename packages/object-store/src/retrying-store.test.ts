import { type Clock, seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createCountingStore } from './counting-store.ts';
import { createFaultyStore, type Fault, seededFaults } from './faulty-store.ts';
import { createMemoryStore } from './memory-store.ts';
import { createRetryingStore, type RetryOptions } from './retrying-store.ts';

describeObjectStore('a retrying store', async () => ({ store: createRetryingStore(createMemoryStore()) }));

describeObjectStore('a retrying store over one that fails every read now and then', async () => {
  const draw = seededFaults({ random: seededRandom(3), rate: 0.2, maxDelayMs: 1 });
  const faulty = createFaultyStore(createMemoryStore(), {
    // Writes that fail have no one answer: only what the wrapper hides is played here.
    plan: (call) => (call.operation === 'put' || call.operation === 'delete' ? undefined : draw(call)),
  });
  return { store: createRetryingStore(faulty, { baseDelayMs: 1, maxAttempts: 20 }) };
});

/** Time passes only in sleeps, which are noted. */
function fakeClock() {
  const sleeps: number[] = [];
  let now = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => now,
    sleep: async (ms) => {
      sleeps.push(ms);
      now += ms;
    },
  };
  return { clock, sleeps };
}

function setup(fault: Fault, options: RetryOptions = {}) {
  const { clock, sleeps } = fakeClock();
  const counting = createCountingStore(createFaultyStore(createMemoryStore(), { plan: () => fault }));
  const store = createRetryingStore(counting, { clock, random: seededRandom(1), ...options });
  return { store, counts: counting.counts, sleeps };
}

const down: Fault = { kind: 'refused', answer: '503' };

describe('a retrying store', () => {
  test('tries reads, lists, deletes and unconditional puts five times in all', async () => {
    const { store, counts } = setup(down);
    const calls = [store.get('a'), store.head('a'), store.list(''), store.delete('a'), store.put('a', [])];
    for (const call of calls) await expect(call).rejects.toMatchObject({ kind: 'unavailable' });
    expect(counts).toMatchObject({ gets: 5, heads: 5, lists: 5, deletes: 5, puts: 5 });
  });

  test('never sends a conditional put twice', async () => {
    for (const answer of ['409', '429', '503', 'timeout', 'reset'] as const) {
      const { store, counts } = setup({ kind: 'refused', answer });
      await expect(store.put('a', [], { only: 'absent' })).rejects.toBeInstanceOf(VivaceError);
      await expect(store.put('a', [], { only: { etag: '"x"' } })).rejects.toBeInstanceOf(VivaceError);
      expect(counts.puts).toBe(2);
    }
  });

  test('waits longer each time, at random, up to a ceiling', async () => {
    const { store, sleeps } = setup(down, { maxAttempts: 200, maxElapsedMs: 1e9, baseDelayMs: 100, maxDelayMs: 400 });
    await expect(store.get('a')).rejects.toThrow();
    expect(sleeps.length).toBe(199);
    expect(sleeps[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(400);
    expect(Math.max(...sleeps)).toBeGreaterThan(350);
    expect(new Set(sleeps).size).toBeGreaterThan(190);
  });

  test('waits at least as long as the store says, and gives up when that is too long', async () => {
    const error = new VivaceError('limited', 'store-slow-down', 'slow down', { retryAfterMs: 3000 });
    const { clock, sleeps } = fakeClock();
    const store = createRetryingStore({ ...createMemoryStore(), get: () => Promise.reject(error) }, { clock });
    await expect(store.get('a')).rejects.toBe(error);
    expect(sleeps).toEqual([3000, 3000, 3000, 3000]);
    const short = createRetryingStore(
      { ...createMemoryStore(), get: () => Promise.reject(error) },
      { clock, maxElapsedMs: 2000 },
    );
    sleeps.length = 0;
    await expect(short.get('a')).rejects.toBe(error);
    expect(sleeps).toEqual([]);
  });

  test('begins no attempt after its time', async () => {
    const { store, sleeps } = setup(down, { maxAttempts: 1000, maxElapsedMs: 5000, baseDelayMs: 1000 });
    await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(5000);
    expect(sleeps.length).toBeGreaterThan(1);
  });

  test('does not repeat what stays as it is', async () => {
    const errors = [
      new VivaceError('not-found', 'object-not-found', ''),
      new VivaceError('conflict', 'precondition-failed', ''),
      new VivaceError('unauthorized', 'access-denied', ''),
      new VivaceError('invalid', 'range-not-satisfiable', ''),
      new VivaceError('data', 'store-answer', ''),
      new VivaceError('unavailable', 'store-full', ''),
      new VivaceError('unavailable', 'bucket-missing', ''),
      new TypeError('a defect'),
    ];
    for (const error of errors) {
      const counting = createCountingStore({ ...createMemoryStore(), get: () => Promise.reject(error) });
      await expect(createRetryingStore(counting, fakeClock()).get('a')).rejects.toBe(error);
      expect(counting.counts.gets).toBe(1);
    }
  });

  test('stops waiting when its caller does', async () => {
    const faulty = createFaultyStore(createMemoryStore(), { plan: () => down });
    const store = createRetryingStore(faulty, { baseDelayMs: 60_000, maxElapsedMs: 1e9, maxDelayMs: 60_000 });
    const startMs = performance.now();
    const read = store.get('a', { signal: AbortSignal.timeout(30) });
    await expect(read).rejects.toMatchObject({ kind: 'deadline' });
    expect(performance.now() - startMs).toBeLessThan(5000);
  });
});
