import type { TestSpan } from '@vivace/block/testing';
import { seededRandom, VivaceError } from '@vivace/kernel';
import type { Manifest } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore } from '@vivace/object-store/testing';
import { createLogger, createMetrics } from '@vivace/telemetry';
import { parse } from '@vivace/traceql';
import { afterEach, describe, expect, test } from 'vitest';
import { Compactor, type CompactorOptions } from './compactor.ts';
import { createCompactorMetrics } from './compactor-metrics.ts';
import type { BlockMerger } from './merge-task.ts';
import type { Retention } from './retention.ts';
import { createShiftedClock } from './testing/shifted-clock.ts';
import { spanOf, traceIdOf } from './testing/spans.ts';
import { createStoredTenant } from './testing/stored-tenant.ts';
import { createWorkerMerger } from './worker-merger.ts';

// The compactor over real blocks in a store in memory, merging in its thread.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const signal = new AbortController().signal;
const mergers: BlockMerger[] = [];

afterEach(async () => {
  for (const merger of mergers.splice(0)) await merger.stop();
});

function setUp(seed = 1) {
  const clock = createShiftedClock();
  // The morning of a day, a few days ahead: what is merged depends on which windows have ended.
  clock.advance(4 * DAY + 8 * HOUR - (clock.nowMs() % DAY));
  const random = seededRandom(seed);
  const store = createMemoryStore({ clock });
  const tenant = createStoredTenant({ store, tenant: 'shop', clock, random });
  const compactor = (change: Partial<CompactorOptions> = {}, own: ObjectStore = store) => {
    const merger = createWorkerMerger({
      store: own,
      seed: random.u32(),
      onExit: (error) => {
        throw error;
      },
    });
    mergers.push(merger);
    const metrics = createMetrics();
    const manifests = new Map<string, Manifest>();
    const options: CompactorOptions = {
      store: own,
      manifest: (name) => {
        const opened = manifests.get(name) ?? createStoredTenant({ store: own, tenant: name, clock, random }).manifest;
        manifests.set(name, opened);
        return opened;
      },
      merger,
      retention: () => ({ keepMs: 14 * DAY, rules: [] }),
      oldestStream: async () => undefined,
      plan: { windowsMs: [HOUR, DAY], settleMs: 10 * MINUTE, maxInputs: 32, maxRows: 20_000_000 },
      rowGroupRows: 256,
      pageRows: 64,
      singleObjectMaxBytes: 0,
      cycleMs: 1000,
      sweepIntervalMs: HOUR,
      graceMs: HOUR,
      clock,
      random,
      logger: createLogger({ level: 'error', format: 'json' }),
      metrics: createCompactorMetrics(metrics),
      ...change,
    };
    return { service: new Compactor(options), metrics };
  };
  return { clock, random, store, tenant, compactor };
}

/** Blocks of the hour that begins now, with traces that are split over them, and the truth of each trace. */
async function fillHour(
  { clock, random, tenant }: ReturnType<typeof setUp>,
  { blocks = 12, traces = 40, failed = (_trace: number): boolean => false } = {},
) {
  const startMs = clock.nowMs();
  const ids = Array.from({ length: traces }, () => traceIdOf(random));
  const spans: TestSpan[] = [];
  let before: TestSpan[] = [];
  for (let block = 0; block < blocks; block++) {
    const own = ids.flatMap((id, trace) => {
      if ((trace + block) % 3 === 0) return [];
      const atMs = startMs + block * 5 * MINUTE + 1000 * trace;
      return [spanOf(random, id, { startMs: atMs, failed: failed(trace) && block === 4 })];
    });
    // Every block has some of the spans of the one before once more.
    await tenant.addBlock([...own, ...before.slice(0, 7)]);
    spans.push(...own);
    before = own;
    clock.advance(5 * MINUTE);
  }
  const truth = new Map<string, Uint8Array>();
  for (const id of ids) truth.set(id, await tenant.readTrace(id));
  return { ids, spans, truth };
}

async function expectTruth(tenant: ReturnType<typeof setUp>['tenant'], truth: ReadonlyMap<string, Uint8Array>) {
  for (const [id, bytes] of truth) {
    expect(Buffer.from(await tenant.readTrace(id)).equals(bytes), id).toBe(true);
  }
}

describe('a window', () => {
  test('becomes one block with every span once, and answers as before', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    const { spans, truth } = await fillHour(world);
    const { service, metrics } = compactor();
    await service.round(signal);
    expect((await tenant.live()).length).toBe(12);
    clock.advance(10 * MINUTE);
    await service.round(signal);
    const live = await tenant.live();
    expect(live).toMatchObject([{ level: 1, rows: spans.length, traces: 40, retentionClass: '', applied: 0 }]);
    await expectTruth(tenant, truth);
    const page = (await metrics.render()).body;
    expect(page).toContain('vivace_compactor_jobs_total{outcome="done"} 1');
    expect(page).toContain(`vivace_compactor_spans_total{what="rewritten"} ${spans.length}`);
    expect(page).toContain('vivace_compactor_spans_total{what="resent"} 77');
    expect(page).toContain('vivace_compactor_blocks_total{change="merged"} 12');
  });

  test('is merged with the others of its day, once the day is over', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    const { service } = compactor();
    clock.advance(DAY - (clock.nowMs() % DAY));
    const truth = new Map<string, Uint8Array>();
    for (let hour = 0; hour < 3; hour++) for (const [id, bytes] of (await fillHour(world)).truth) truth.set(id, bytes);
    clock.advance(DAY);
    await service.round(signal);
    expect(await tenant.live()).toMatchObject([{ level: 2, traces: 120 }]);
    await expectTruth(tenant, truth);
  });

  test('is no longer than a seventh of what spans are kept for', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    const { service } = compactor({ retention: () => ({ keepMs: 6 * DAY, rules: [] }) });
    for (let hour = 0; hour < 3; hour++) await fillHour(world);
    clock.advance(2 * DAY);
    await service.round(signal);
    expect((await tenant.live()).map(({ level }) => level)).toEqual([1, 1, 1]);
    await compactor({ retention: () => ({ keepMs: 7 * DAY, rules: [] }) }).service.round(signal);
    expect((await tenant.live()).map(({ level }) => level)).toEqual([2]);
  });

  test('leaves nothing behind: the objects of merged blocks go after the grace', async () => {
    const world = setUp();
    const { clock, tenant, compactor, store } = world;
    await fillHour(world);
    const { service, metrics } = compactor();
    clock.advance(10 * MINUTE);
    await service.round(signal);
    expect((await tenant.objects()).length).toBe(13 * 6);
    clock.advance(90 * MINUTE);
    await service.round(signal);
    const [block] = await tenant.live();
    expect((await tenant.objects()).map((key) => key.split('/')[4])).toEqual(Array(6).fill(block?.id));
    expect((await store.list('claims/')).objects).toEqual([]);
    expect((await metrics.render()).body).toContain('vivace_compactor_swept_total{what="removed"} 72');
  });
});

describe('several compactors', () => {
  test('on one store at once merge each window once, and lose nothing', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    const truth = new Map<string, Uint8Array>();
    for (let hour = 0; hour < 4; hour++) for (const [id, bytes] of (await fillHour(world)).truth) truth.set(id, bytes);
    clock.advance(10 * MINUTE);
    const both = [compactor(), compactor()];
    await Promise.all(both.map(({ service }) => service.round(signal)));
    // What one left to the other is done in the next round.
    clock.advance(10 * MINUTE);
    await Promise.all(both.map(({ service }) => service.round(signal)));
    expect((await tenant.live()).map(({ level }) => level)).toEqual([1, 1, 1, 1]);
    await expectTruth(tenant, truth);
    const done = await Promise.all(
      both.map(
        async ({ metrics }) => /jobs_total\{outcome="done"\} (\d+)/.exec((await metrics.render()).body)?.[1] ?? '0',
      ),
    );
    expect(done.reduce((sum, count) => sum + Number(count), 0)).toBe(4);
  });

  test('that ignore the claims of each other waste work and nothing else', async () => {
    const world = setUp();
    const { clock, tenant, compactor, store } = world;
    const { truth, spans } = await fillHour(world);
    clock.advance(10 * MINUTE);
    // Each sees a store without claims.
    const blind = (): ObjectStore => ({
      ...store,
      put: (key, ...rest) =>
        key.startsWith('claims/') ? store.put(`own/${Math.random()}`, rest[0]) : store.put(key, ...rest),
    });
    const both = [compactor({}, blind()), compactor({}, blind())];
    await Promise.all(both.map(({ service }) => service.round(signal)));
    expect(await tenant.live()).toMatchObject([{ level: 1, rows: spans.length }]);
    await expectTruth(tenant, truth);
    const ids = new Set((await tenant.objects()).map((key) => key.split('/')[4]));
    expect(ids.size).toBe(13);
    const outcomes = await Promise.all(both.map(async ({ metrics }) => (await metrics.render()).body));
    expect(outcomes.some((page) => page.includes('vivace_compactor_jobs_total{outcome="lost"} 1'))).toBe(true);
  });
});

describe('what fails', () => {
  test('leaves the blocks as they are, is told, and is tried again later', async () => {
    const world = setUp();
    const { clock, tenant, compactor, store } = world;
    const { truth } = await fillHour(world);
    clock.advance(10 * MINUTE);
    const faulty = createFaultyStore(store);
    const { service, metrics } = compactor({}, faulty);
    faulty.plan = ({ operation, key }) =>
      operation === 'put' && key.endsWith('/index.parquet')
        ? undefined
        : operation === 'put' && key.includes('/blocks/')
          ? { kind: 'refused', answer: '503' }
          : undefined;
    await service.round(signal);
    expect((await tenant.live()).length).toBe(12);
    expect((await tenant.objects()).length).toBe(12 * 6);
    expect((await metrics.render()).body).toContain('vivace_compactor_errors_total{task="merge"} 1');
    faulty.plan = () => undefined;
    clock.advance(10 * MINUTE);
    await service.round(signal);
    expect((await tenant.live()).length).toBe(1);
    await expectTruth(tenant, truth);
  });

  test.each([
    ['found by the merge', []],
    ['found by a rule', [{ query: parse('{ status = error }'), keepMs: 30 * DAY }]],
  ])('a damaged block is left out of the merge of its window: %s', async (_name, rules) => {
    const world = setUp();
    const { clock, tenant, compactor, store } = world;
    await fillHour(world);
    const [victim] = await tenant.live();
    const key = (await tenant.objects()).find(
      (one) => one.includes(victim?.id as string) && one.includes('spans'),
    ) as string;
    const { bytes } = await store.get(key);
    await store.put(key, [bytes.map((byte, i) => (i % 50 === 0 ? byte ^ 255 : byte))]);
    await fillHour(world);
    clock.advance(10 * MINUTE);
    const { service } = compactor({ retention: () => ({ keepMs: 14 * DAY, rules }) });
    await service.round(signal);
    const live = await tenant.live();
    expect(live.map(({ level, id }) => [level, id === victim?.id]).sort(([a], [b]) => Number(a) - Number(b))).toEqual([
      [0, true],
      [1, false],
      [1, false],
    ]);
  });

  test('a stop ends a merge in its midst and commits nothing', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    await fillHour(world);
    clock.advance(10 * MINUTE);
    const { service } = compactor();
    const abort = new AbortController();
    const round = service.round(abort.signal);
    setTimeout(() => abort.abort(new VivaceError('canceled', 'test', 'stopped')), 5);
    await round.catch(() => undefined);
    expect((await tenant.live()).length).toBe(12);
  });
});

describe('retention', () => {
  const rule = (filter: string, keepMs: number) => ({ query: parse(filter), keepMs });
  const withErrors: Retention = { keepMs: 2 * DAY, rules: [rule('{ status = error }', 5 * DAY)] };

  test('keeps whole the traces that a rule matched in any of their blocks, longer than the others', async () => {
    const world = setUp();
    const { clock, tenant, compactor } = world;
    const { ids, truth } = await fillHour(world, { failed: (trace) => trace % 10 === 0 });
    clock.advance(10 * MINUTE);
    const { service } = compactor({ retention: () => withErrors });
    await service.round(signal);
    const live = await tenant.live();
    expect(new Map(live.map(({ retentionClass, traces }) => [retentionClass, traces]))).toEqual(
      new Map([
        ['default', 37],
        [`${5 * 24 * 3600}s`, 3],
      ]),
    );
    await expectTruth(tenant, truth);
    clock.advance(2 * DAY);
    await service.round(signal);
    for (const [trace, id] of ids.entries()) {
      // The trace of the fourth block that is a multiple of ten and is in it.
      const kept = trace % 10 === 0 && (trace + 4) % 3 !== 0;
      expect((await tenant.readTrace(id)).length > 0, `${trace}`).toBe(kept);
      if (kept) expect(Buffer.from(await tenant.readTrace(id)).equals(truth.get(id) as Uint8Array)).toBe(true);
    }
    clock.advance(3 * DAY);
    await service.round(signal);
    expect(await tenant.live()).toEqual([]);
  });

  test('lifts the part of a trace that an earlier window kept shorter, when both are merged', async () => {
    const world = setUp();
    const { clock, random, tenant, compactor } = world;
    clock.advance(DAY - (clock.nowMs() % DAY));
    const id = traceIdOf(random);
    const others = await fillHour(world);
    await tenant.addBlock([spanOf(random, id, { startMs: clock.nowMs() - MINUTE })]);
    await fillHour(world);
    await tenant.addBlock([spanOf(random, id, { startMs: clock.nowMs() - MINUTE, failed: true })]);
    const { service } = compactor({ retention: () => withErrors });
    clock.advance(10 * MINUTE);
    await service.round(signal);
    expect((await tenant.live()).map(({ traces }) => traces).sort((a, b) => a - b)).toEqual([1, 40, 41]);
    clock.advance(DAY);
    await service.round(signal);
    expect(new Map((await tenant.live()).map((entry) => [entry.traces, entry]))).toMatchObject(
      new Map([
        [1, { level: 2, rows: 2 }],
        [80, { level: 2, rows: 2 * others.spans.length }],
      ]),
    );
  });

  test('expires blocks that no rule has looked at only when no rule could keep them', async () => {
    const { clock, random, tenant, compactor } = setUp();
    await tenant.addBlock([spanOf(random, traceIdOf(random), { startMs: clock.nowMs() })]);
    const { service } = compactor({ retention: () => withErrors });
    clock.advance(3 * DAY);
    await service.round(signal);
    expect((await tenant.live()).length).toBe(1);
    clock.advance(3 * DAY);
    await service.round(signal);
    expect(await tenant.live()).toEqual([]);
  });

  test('of each tenant is its own', async () => {
    const { clock, random, store, compactor } = setUp();
    const tenants = ['a', 'b'].map((tenant) => createStoredTenant({ store, tenant, clock, random }));
    for (const tenant of tenants)
      await tenant.addBlock([spanOf(random, traceIdOf(random), { startMs: clock.nowMs() })]);
    const { service } = compactor({ retention: (tenant) => ({ keepMs: tenant === 'a' ? DAY : Infinity, rules: [] }) });
    clock.advance(100 * DAY);
    await service.round(signal);
    expect(await Promise.all(tenants.map(async (tenant) => (await tenant.live()).length))).toEqual([0, 1]);
  });
});
