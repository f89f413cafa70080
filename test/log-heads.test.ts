import { Health, type Member } from '@vivace/cluster';
import { encodeSpans } from '@vivace/columns';
import { type HeadBuilder, Ingester } from '@vivace/ingester';
import {
  createLocalBlockCutter,
  createLocalHeadBuilder,
  type LocalHeadBuilder,
  spanRequest,
  spansOf,
  storedSpans,
  traceIdOf,
} from '@vivace/ingester/testing';
import { type Clock, type PooledBuffer, seededRandom, systemClock, VivaceError } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { type Manifest, openManifest } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore, type Fault, type FaultCall } from '@vivace/object-store/testing';
import { LogHeads, type LogHeadsOptions, RemoteHeads, StreamList } from '@vivace/querier';
import type { HeadsClient } from '@vivace/rpc';
import { createLogger } from '@vivace/telemetry';
import { type BucketLogLimits, openBucketLog, type WriteAheadLog } from '@vivace/wal';
import { segmentKey } from '@vivace/wal/testing';
import { expect, test, vi } from 'vitest';

/*
 * A querier reads the log of ingesters that nobody reaches: with the log in a bucket, the heads that ingesters build of
 * it, and the manifest, as they are.
 */

const never = new AbortController().signal;
const TENANT = 'shop';
const TIME = { startUnixNano: 0n, endUnixNano: 1n << 62n };
const GONE = new VivaceError('unavailable', 'connect-failed', 'it cannot be reached');

interface SetUp {
  store: ObjectStore;
  clock: Clock;
  log: WriteAheadLog;
  calls: FaultCall[];
  plan: (call: FaultCall) => Fault | undefined;
  manifest: Manifest;
  builder: LocalHeadBuilder;
  logs: LogHeads;
  heads: RemoteHeads;
  /** Takes spans and acknowledges them, in a segment of the log. */
  take: (spans: readonly number[], tenant?: string) => Promise<void>;
  /** The spans that heads have, ascending. */
  spans: (tenant?: string) => Promise<{ spans: number[]; problems: string[]; maxAgeMs: number | undefined }>;
}

function ownHeads(): LocalHeadBuilder {
  const limits = { maxAttributeBytes: 1 << 20, maxTraceBytes: 1 << 30 };
  return createLocalHeadBuilder({ limits, maxColumns: 16, seed: 1 });
}

/** What a querier has over a store; `client`: of the one ingester that it knows. */
function readers(
  store: ObjectStore,
  clock: Clock,
  client: () => HeadsClient,
  options: Partial<LogHeadsOptions> = {},
): Pick<SetUp, 'builder' | 'heads' | 'logs' | 'manifest'> {
  const manifest = openManifest({ store, tenant: TENANT, clock, random: seededRandom(7) });
  const others = new Map([[TENANT, manifest]]);
  const builder = ownHeads();
  const logs = new LogHeads({
    store,
    clock,
    manifest: (tenant) => {
      const found = others.get(tenant) ?? openManifest({ store, tenant, clock, random: seededRandom(8) });
      others.set(tenant, found);
      return found;
    },
    startRows: () => builder,
    maxBytes: 1 << 28,
    setMaxBytes: 1 << 26,
    ...options,
  });
  const member: Member = { address: '127.0.0.1:1', host: '127.0.0.1', port: 1 };
  const heads = new RemoteHeads({
    members: () => [member],
    client,
    health: new Health({ clock, random: seededRandom(1) }),
    streams: new StreamList({ store, clock }),
    logs,
    clock,
    chunkCacheBytes: 1000,
    timeoutMs: 1000,
  });
  return { builder, heads, logs, manifest };
}

const unreachable: HeadsClient = {
  trace: async () => Promise.reject(GONE),
  rows: async () => Promise.reject(GONE),
};

/** An ingester that is there at times, as far as lookups by id go. */
function reachable(ingester: Ingester, isReached: () => boolean): HeadsClient {
  return {
    trace: async ({ tenant, id }) => {
      if (!isReached()) throw GONE;
      const ask = (builder: HeadBuilder, heads: readonly string[]) => builder.trace(heads, id);
      const { found = [], ...state } = await ingester.answerHeads(tenant, ask, never);
      return { ...state, parts: found };
    },
    rows: () => Promise.reject(GONE),
  };
}

async function setUp(options: Partial<LogHeadsOptions> = {}): Promise<SetUp> {
  const clock = systemClock;
  const memory = createMemoryStore();
  const calls: FaultCall[] = [];
  const store = createFaultyStore(memory, {
    clock,
    plan: (call) => {
      calls.push(call);
      return made.plan(call);
    },
  });
  const log = await openBucketLog({
    store: memory,
    clock,
    random: seededRandom(3),
    instance: 'owner',
    limits: { batchMaxDelayMs: 1 },
  });
  const made: SetUp = {
    store: memory,
    clock,
    log,
    calls,
    plan: () => undefined,
    ...readers(store, clock, () => unreachable, options),
    take: async (spans, tenant = TENANT) => {
      await log.append(tenant, spanRequest(spans).bytes).durable;
      log.rotate();
    },
    spans: async (tenant = TENANT) => {
      const { views, problems, maxAgeMs, release } = await made.heads.headViews(tenant, TIME, never);
      release?.();
      return { spans: spansIn(views), problems, maxAgeMs };
    },
  };
  return made;
}

function spansIn(views: Awaited<ReturnType<RemoteHeads['headViews']>>['views']): number[] {
  return spansOf(
    views.map(({ view }) =>
      encodeSpans(
        view,
        Int32Array.from({ length: view.spanCount }, (_, row) => row).filter((row) => view.dead[row] === 0),
      ),
    ),
  );
}

test('what a process that was killed has acknowledged is in every answer', async () => {
  const { take, spans, heads } = await setUp();
  await take([1, 2, 11]);
  await take([3], 'games');
  await take([12, 13]);
  expect(await spans()).toEqual({ spans: [1, 2, 11, 12, 13], problems: [], maxAgeMs: 0 });
  expect((await spans('games')).spans).toEqual([3]);
  expect((await spans('nobody')).spans).toEqual([]);
  const { parts, problems } = await heads.findTrace(TENANT, traceIdOf(11), never);
  expect([spansOf(parts), problems]).toEqual([[11, 12, 13], []]);
});

test('a process that lives and cannot be reached goes on, and only what is new is read', async () => {
  const { take, spans, calls, logs } = await setUp();
  await take([1]);
  await take([2]);
  expect((await spans()).spans).toEqual([1, 2]);
  await take([3]);
  calls.length = 0;
  expect((await spans()).spans).toEqual([1, 2, 3]);
  expect(calls.filter(({ key }) => key.startsWith('wal/')).map(({ operation }) => operation)).toEqual(['list', 'get']);
  calls.length = 0;
  expect((await spans()).spans).toEqual([1, 2, 3]);
  expect(calls.filter(({ key }) => key.startsWith('wal/')).map(({ operation }) => operation)).toEqual(['list']);
  expect(calls.filter(({ operation }) => operation === 'put' || operation === 'delete')).toEqual([]);
  expect(logs.counts.streams).toBe(3);
  expect(logs.counts.bytes).toBeGreaterThan(0);
});

test('queries at the same time share what is read', async () => {
  const { take, spans, calls } = await setUp();
  for (let span = 1; span <= 5; span++) await take([span]);
  calls.length = 0;
  const found = await Promise.all(Array.from({ length: 8 }, () => spans()));
  for (const one of found) expect(one.spans).toEqual([1, 2, 3, 4, 5]);
  expect(calls.filter(({ key, operation }) => operation === 'get' && key.startsWith('wal/')).length).toBe(5);
});

test('what blocks cover is not read, and let go where it was', async () => {
  const { take, spans, log, manifest, builder } = await setUp();
  for (const span of [1, 2, 3]) await take([span]);
  const { stream } = log.position;
  const cover = (from: number, to: number) =>
    manifest.commit({ add: [], remove: [], cover: [{ stream, from, to }] }, never);
  await cover(0, 1);
  await manifest.snapshot(never, { maxAgeMs: 0 });
  expect((await spans()).spans).toEqual([2, 3]);
  expect(builder.size).toBeGreaterThan(0);
  await cover(1, 3);
  await take([4]);
  expect((await spans()).spans).toEqual([4]);
});

test('a stream that somebody answers for, or that is closed, is let go', async () => {
  const { store, take, spans, log, builder } = await setUp();
  await take([1]);
  expect((await spans()).spans).toEqual([1]);
  expect(builder.size).toBeGreaterThan(0);
  const { stream } = log.position;
  await log.stop();
  for (const key of [segmentKey({ stream, segment: 1 }), `streams/${stream}`]) await store.delete(key);
  // The list is not believed for longer than 5 s; here it is still the one from before.
  expect(await spans()).toMatchObject({ problems: [], maxAgeMs: 0 });
});

test('damage is named, what lies behind it is there, and both are once it can be read', async () => {
  const { store, take, spans, log } = await setUp();
  for (const span of [1, 2, 3]) await take([span]);
  const { stream } = log.position;
  const key = segmentKey({ stream, segment: 2 });
  const { bytes } = await store.get(key);
  const wrong = bytes.slice();
  wrong[3]! ^= 1;
  await store.put(key, [wrong], {});
  const found = await spans();
  expect(found.spans).toEqual([1, 3]);
  expect(found.problems[0]).toContain(`stream ${stream}, and of its log not all can be read: segment 2: the checksum`);
  await store.put(key, [bytes], {});
  expect(await spans()).toMatchObject({ spans: [1, 2, 3], problems: [] });
});

test('a store that fails makes the answer a part, and the next one goes on where it was', async () => {
  const made = await setUp();
  for (const span of [1, 2, 3]) await made.take([span]);
  const { stream } = made.log.position;
  const last = segmentKey({ stream, segment: 3 });
  made.plan = ({ key }) => (key === last ? { kind: 'refused', answer: '503' } : undefined);
  const found = await made.spans();
  expect(found.spans).toEqual([1, 2]);
  expect(found.problems[0]).toContain(stream);
  made.plan = () => undefined;
  made.calls.length = 0;
  expect(await made.spans()).toMatchObject({ spans: [1, 2, 3], problems: [] });
  expect(made.calls.filter(({ key, operation }) => operation === 'get' && key.startsWith('wal/')).length).toBe(1);
  expect(made.logs.counts.failures).toBe(2);
});

test('more than may be kept is no part of the answer, which says so, and takes no memory', async () => {
  const small = await setUp({ maxBytes: 1 });
  await small.take([1]);
  const { spans, problems } = await small.spans();
  expect(spans).toEqual([]);
  expect(problems[0]).toContain('querier.log_heads_bytes');
  expect(small.builder.size).toBe(0);
  const reads = () => small.calls.filter(({ key, operation }) => operation === 'get' && key.startsWith('wal/')).length;
  const before = reads();
  expect((await small.spans()).problems.length).toBeGreaterThan(0);
  expect(reads()).toBe(before);
});

test('what other tenants do not use makes room', async () => {
  const one = await setUp();
  await one.take([1], 'games');
  await one.take([2]);
  expect((await one.spans('games')).spans).toEqual([1]);
  const both = await setUp({ maxBytes: one.builder.size });
  await both.take([1], 'games');
  await both.take([2]);
  expect((await both.spans('games')).spans).toEqual([1]);
  expect(await both.spans()).toMatchObject({ spans: [2], problems: [] });
  expect(both.builder.size).toBeLessThanOrEqual(one.builder.size);
  expect((await both.spans('games')).spans).toEqual([1]);
});

test('column sets that are full are followed by others, and all of them are let go', async () => {
  const { take, spans, builder, log, manifest } = await setUp({ setMaxBytes: 1 });
  for (const span of [1, 2, 3]) await take([span]);
  expect((await spans()).spans).toEqual([1, 2, 3]);
  await manifest.commit({ add: [], remove: [], cover: [{ stream: log.position.stream, from: 0, to: 3 }] }, never);
  expect((await spans()).spans).toEqual([]);
  expect(builder.size).toBe(0);
});

test('whoever leaves ends the reading, and a store that hangs makes a part', async () => {
  const made = await setUp();
  await made.take([1]);
  made.plan = ({ key }) => (key.startsWith('wal/') ? { kind: 'slow', delayMs: 60_000 } : undefined);
  const client = new AbortController();
  const left = made.heads.headViews(TENANT, TIME, client.signal);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.abort();
  await expect(left).rejects.toThrow();
  made.plan = () => undefined;
  expect((await made.spans()).spans).toEqual([1]);
});

test('many tenants at a time in little room, and many who leave, end with nothing held', async () => {
  const tenants = Array.from({ length: 12 }, (_, i) => `tenant-${i}`);
  const one = await setUp();
  await one.take([1], 'games');
  await one.spans('games');
  const made = await setUp({ maxBytes: 2 * one.builder.size });
  for (const [i, tenant] of tenants.entries()) for (const more of [0, 100]) await made.take([i + 1 + more], tenant);
  made.plan = ({ number }) => ({ kind: 'slow', delayMs: number % 7 });
  for (let round = 0; round < 5; round++) {
    await Promise.all(
      tenants.flatMap((tenant, i) => {
        const leaves = AbortSignal.timeout(1 + 5 * i);
        return [
          made.spans(tenant).then(({ spans, problems }) => {
            if (problems.length === 0) expect(spans).toEqual([i + 1, i + 101]);
            else expect(problems[0]).toMatch('querier.log_heads_bytes');
          }),
          made.heads.headViews(tenant, TIME, leaves).catch(() => undefined),
        ];
      }),
    );
    expect(made.logs.bytes).toBeLessThanOrEqual(2 * one.builder.size);
  }
  made.plan = () => undefined;
  made.logs.keepOnly(new Set());
  await vi.waitUntil(() => made.builder.size === 0, { timeout: 5000 });
  expect((await made.spans('games')).spans).toEqual([]);
});

const SEEDS = Number(process.env['VIVACE_LOG_HEADS_SEEDS'] ?? 5);
const DAY_MS = 86_400_000;
const TRACES = 4;

/*
 * An ingester takes spans and dies; another, which takes spans and cuts them all the time, finds its stream after a
 * minute, takes it over, cuts it into blocks and drops it; the calls of all of them take however long a seed says.
 * Meanwhile traces are looked up by queriers that have been there and by some that were just started, half of the time
 * without any answer of the ingester that lives.
 */
test(`lookups are whole while streams are written, left, taken over and dropped: ${SEEDS} seeds`, {
  timeout: 300_000,
}, async () => {
  let lookups = 0;
  let bucketReads = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = seededRandom(seed);
    const scheduler = createScheduler(random);
    const { clock } = scheduler;
    const finished = async <T>(promise: Promise<T>): Promise<T> => {
      let done = false;
      const end = () => {
        done = true;
      };
      promise.then(end, end);
      await scheduler.run(() => done);
      return promise;
    };
    const memory = createMemoryStore({ clock });
    const process = { isDead: false };
    const slow = (isDead: () => boolean) =>
      createFaultyStore(memory, {
        clock,
        plan: () => ({ kind: 'slow', delayMs: isDead() ? 1000 * DAY_MS : 1 + (random.u32() % 400) }),
      });
    const open = (store: ObjectStore, instance: string) => {
      const limits: Partial<BucketLogLimits> = { batchMaxDelayMs: 100, segmentMaxBytes: 300 };
      return openBucketLog({ store, clock, random: seededRandom(random.u32()), instance, limits });
    };
    const ownerStore = slow(() => process.isDead);
    const owner = await finished(open(ownerStore, 'owner'));
    const otherStore = slow(() => false);
    const manifest = openManifest({ store: otherStore, tenant: TENANT, clock, random });
    const log = await finished(open(otherStore, 'other'));
    const ingester = new Ingester({
      log,
      builder: ownHeads(),
      cutter: createLocalBlockCutter(),
      manifest: () => manifest,
      store: otherStore,
      clock,
      random,
      logger: createLogger({ level: 'error', format: 'json', stream: { write: () => undefined } }),
      limits: {
        headsMaxBytes: 1 << 28,
        generationMaxBytes: 1 << 26,
        cutIntervalMs: 2000,
        smallTenantCutIntervalMs: 2000,
        logMaxBytes: 1 << 30,
        logMaxSegments: 5000,
      },
    });
    await finished(ingester.start());
    const store = slow(() => false);
    const querier = () => readers(store, clock, () => reachable(ingester, () => random.u32() % 2 === 0));
    const old = querier();

    const acknowledged = new Set<number>();
    const ended = { is: false };
    /** Three spans of a trace that others have a part of, and one of its own. */
    const taken = async (from: number, isOver: () => boolean, take: (request: PooledBuffer) => Promise<unknown>) => {
      for (let i = 0; !isOver(); i++) {
        const spans = [10 + ((from + i) % (10 * TRACES)), 100 * from + 10 * i];
        take(spanRequest(spans)).then(
          () => {
            if (!isOver()) for (const span of spans) acknowledged.add(span);
          },
          () => undefined,
        );
        await clock.sleep(20 + (random.u32() % 2000));
      }
    };
    const owned = taken(
      10,
      () => process.isDead,
      ({ bytes }) => owner.append(TENANT, bytes).durable,
    );
    const others = taken(
      1000,
      () => ended.is,
      (request) => ingester.push(TENANT, request, never),
    );
    const dies = clock.sleep(5000 + (random.u32() % 30_000)).then(() => {
      process.isDead = true;
    });
    const lookUp = async (): Promise<void> => {
      while (!ended.is) {
        const { heads, logs, manifest: mine } = random.u32() % 2 === 0 ? old : querier();
        const due = [...acknowledged];
        const trace = due.length === 0 ? 10 : (due[random.u32() % due.length] as number);
        const found = await heads.findTrace(TENANT, traceIdOf(trace), never);
        // As the querier does it.
        const { maxAgeMs, minVersion = 0 } = found;
        let root = await mine.snapshot(never, maxAgeMs === undefined ? {} : { maxAgeMs });
        if (root.version < minVersion) root = await mine.snapshot(never, { maxAgeMs: 0 });
        const stored = await storedSpans({ ...mine, snapshot: async () => root }, memory);
        const there = new Set([...spansOf(found.parts), ...stored]);
        expect(found.problems, `seed ${seed}`).toEqual([]);
        const lost = due.filter((span) => Math.floor(span / 10) === Math.floor(trace / 10) && !there.has(span));
        expect(lost, `seed ${seed} at ${clock.monotonicMs()} ms`).toEqual([]);
        expect(logs.counts.failures).toBe(0);
        lookups++;
        bucketReads += heads === old.heads ? 0 : logs.counts.streams;
        await clock.sleep(random.u32() % 1000);
      }
    };
    const asking = Promise.all([lookUp(), lookUp(), lookUp()]);
    await finished(Promise.race([Promise.all([owned, dies]), asking]));
    const left = async (): Promise<boolean> => {
      const streams = (await memory.list('streams/')).objects;
      return streams.some(({ key }) => key.endsWith(owner.position.stream));
    };
    const gone = (async () => {
      for (let i = 0; (await left()) && i < 200; i++) await clock.sleep(1000);
      await clock.sleep(8000);
      ended.is = true;
    })();
    await finished(Promise.race([Promise.all([gone, asking, others]), asking]));
    expect(await left()).toBe(false);
    bucketReads += old.logs.counts.streams;
  }
  expect(lookups).toBeGreaterThan(20 * SEEDS);
  expect(bucketReads).toBeGreaterThan(10 * SEEDS);
});
