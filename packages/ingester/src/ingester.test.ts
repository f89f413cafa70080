import { type Clock, dataError, isKind, systemClock, VivaceError } from '@vivace/kernel';
import { SimulatedFiles } from '@vivace/kernel/testing';
import type { Manifest, ManifestEdit } from '@vivace/manifest';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore } from '@vivace/object-store/testing';
import { expect, onTestFinished, test } from 'vitest';
import { createLocalHeadBuilder } from './testing/local-parts.ts';
import { overridden } from './testing/overridden.ts';
import { type Rig, type RigOptions, startRig } from './testing/rig.ts';
import { pooled, spanRequest, spansOf, storedSpans, traceIdOf } from './testing/spans.ts';

const never = new AbortController().signal;
const TENANT = 'shop';
/** Of all spans: one that is sent again is the same. */
const START_MS = Date.now();

interface Machine {
  files: SimulatedFiles;
  store: ObjectStore;
}

async function newMachine(): Promise<Machine> {
  const files = new SimulatedFiles();
  await files.makeDirectory('/data/wal');
  return { files, store: createMemoryStore() };
}

/** Starts a process on the machine's disk and store. */
async function boot(machine: Machine, options: Omit<RigOptions, 'files' | 'store'> = {}): Promise<Rig> {
  const rig = await startRig({ ...machine, ...options });
  onTestFinished(() => rig.stop());
  return rig;
}

/** `kill -9`: what is written stays, and the process does nothing any more. */
function kill(machine: Machine): Machine {
  return { ...machine, files: machine.files.kill() };
}

const push = (rig: Rig, spans: readonly number[], tenant = TENANT) =>
  rig.ingester.push(tenant, spanRequest(spans, { startMs: START_MS }), never);
const held = async ({ ingester }: Rig, span: number) =>
  spansOf((await ingester.findTrace(TENANT, traceIdOf(span))).parts);
const stored = ({ manifest }: Rig, { store }: Machine, tenant = TENANT) => storedSpans(manifest(tenant), store);
const segmentsOf = ({ log }: Rig) => log.streams().flatMap(({ segments }) => segments);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await condition()) return;
    await systemClock.sleep(5);
  }
  throw new Error('it did not come to that in five seconds');
}

test('a span is in the heads at once, after a flush in a block, and then not in the log', async () => {
  const machine = await newMachine();
  const rig = await boot(machine);
  expect(rig.ingester.oldestUncutMs).toBeUndefined();
  expect(await push(rig, [1, 2])).toEqual({ acceptedSpans: 2, rejectedSpans: 0 });
  expect(await held(rig, 1)).toEqual([1, 2]);
  const oldest = rig.ingester.oldestUncutMs;
  await push(rig, [3]);
  expect(rig.ingester.oldestUncutMs).toBe(oldest);
  expect(Date.now() - (oldest as number)).toBeLessThan(60_000);
  await rig.ingester.flush(never);
  expect(await held(rig, 1)).toEqual([]);
  expect(await stored(rig, machine)).toEqual([1, 2, 3]);
  expect(segmentsOf(rig)).toEqual([]);
  expect(rig.builder.size).toBe(0);
  expect(rig.ingester.oldestUncutMs).toBeUndefined();
});

test('a request that is none is refused, and its neighbours are taken', async () => {
  const rig = await boot(await newMachine());
  const answers = await Promise.allSettled([
    push(rig, [1]),
    rig.ingester.push(TENANT, pooled(new Uint8Array([0x0a, 0x05, 1])), never),
    push(rig, [2], 'not/a/tenant'),
    push(rig, [3]),
  ]);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(answers[1]).toMatchObject({ reason: { kind: 'invalid', code: 'otlp-malformed' } });
  expect(answers[2]).toMatchObject({ reason: { kind: 'invalid', code: 'tenant-character' } });
  expect(await held(rig, 1)).toEqual([1, 3]);
});

test('a fault of our own storage is never told as one of the request', async () => {
  const rig = await boot(await newMachine(), {
    change: ({ log }) => {
      const durable = Promise.reject(dataError('log-segment', 'damaged'));
      durable.catch(() => undefined);
      return { log: overridden(log, { append: () => ({ position: log.position, durable }) }) };
    },
  });
  await expect(push(rig, [1])).rejects.toMatchObject({ kind: 'internal', code: 'log-segment' });
});

test('requests on their way while heads are sealed are covered once, neither twice nor never', async () => {
  let machine = await newMachine();
  const expected: number[] = [];
  for (let life = 0; life < 4; life++) {
    const rig = await boot(machine, { logLimits: { segmentMaxBytes: 500, groupDelayMs: 0 } });
    const pushes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      const span = life * 1000 + i + 1;
      expected.push(span);
      pushes.push(push(rig, [span]));
      if (i % 9 === life) pushes.push(rig.ingester.flush(never));
      if (i % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(pushes);
    machine = kill(machine);
  }
  const rig = await boot(machine);
  await rig.ingester.flush(never);
  expect(await stored(rig, machine)).toEqual(expected);
  expect(segmentsOf(rig)).toEqual([]);
});

test('a generation may hold records of the stream whose sync failed and of the next one', async () => {
  const machine = await newMachine();
  const rig = await boot(machine, { logLimits: { probeIntervalMs: 0 } });
  await push(rig, [1]);
  machine.files.fault = ({ name }) => (name === 'sync' ? 'EIO' : undefined);
  await expect(push(rig, [2])).rejects.toMatchObject({ kind: 'unavailable' });
  machine.files.fault = undefined;
  await until(() =>
    push(rig, [2, 3]).then(
      () => true,
      (error: unknown) => !isKind(error, 'unavailable'),
    ),
  );
  await rig.ingester.flush(never);
  expect(await stored(rig, machine)).toEqual([1, 2, 3]);
  expect(segmentsOf(rig)).toEqual([]);
  const next = kill(machine);
  const again = await boot(next);
  await again.ingester.flush(never);
  expect(await stored(again, next)).toEqual([1, 2, 3]);
});

test('a record that was refused by a failing stream is cut although others had that stream dropped meanwhile', async () => {
  const machine = await newMachine();
  const limits = { generationMaxBytes: 300_000 };
  const rig = await boot(machine, { limits, logLimits: { probeIntervalMs: 0 } });
  await push(rig, [1]);
  await rig.ingester.flush(never);
  const { stream } = rig.log.position;
  await push(rig, [10], 'games');
  machine.files.fault = ({ name }) => (name === 'sync' ? 'EIO' : undefined);
  await expect(push(rig, [2])).rejects.toMatchObject({ kind: 'unavailable' });
  machine.files.fault = undefined;
  // Large enough to be cut by itself: with it the failed stream is covered for everyone who has something in it.
  const large = spanRequest([11], { startMs: START_MS, padding: 400_000 });
  await until(() =>
    rig.ingester.push('games', large, never).then(
      () => true,
      () => false,
    ),
  );
  await until(() => rig.log.streams().every((state) => state.stream !== stream));
  await push(rig, [2, 3]);
  await rig.ingester.flush(never);
  expect(await stored(rig, machine)).toEqual([1, 2, 3]);
  expect(rig.lines.filter(({ msg }) => msg.includes('covered'))).toEqual([]);
});

test('what was acknowledged is found after a kill, and a flush waits for the replay', async () => {
  const before = await newMachine();
  const rig = await boot(before, { logLimits: { segmentMaxBytes: 300 } });
  for (let span = 1; span < 9; span++) await push(rig, [span]);
  const machine = kill(before);
  const next = await boot(machine);
  expect((await next.ingester.findTrace(TENANT, traceIdOf(1))).problems).toHaveLength(1);
  await next.ingester.flush(never);
  expect((await next.ingester.findTrace(TENANT, traceIdOf(1))).problems).toEqual([]);
  expect(await stored(next, machine)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('what was acknowledged is replayed whole, also where limits are lower than they were', async () => {
  const machine = await newMachine();
  const rig = await boot(machine);
  await push(rig, [1, 2]);
  await push(rig, [3, 4]);
  const after = kill(machine);
  const next = await boot(after, { maxTraceBytes: 1 });
  await next.ingester.flush(never);
  expect(await stored(next, after)).toEqual([1, 2, 3, 4]);
  expect(next.lines).toEqual([]);
  expect(await push(next, [5])).toMatchObject({ acceptedSpans: 0, rejectedSpans: 1 });
});

test('a replay goes on when the heads are full of heads that are not', async () => {
  const before = await newMachine();
  const rig = await boot(before, { logLimits: { segmentMaxBytes: 300 } });
  const tenants = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (let round = 1; round <= 3; round++) for (const tenant of tenants) await push(rig, [round], tenant);
  const headsMaxBytes = Math.floor(rig.builder.size / 2);
  const machine = kill(before);
  const next = await boot(machine, { limits: { headsMaxBytes } });
  await until(() => !next.ingester.replaying);
  await next.ingester.flush(never);
  for (const tenant of tenants) expect(await stored(next, machine, tenant)).toEqual([1, 2, 3]);
});

test('live requests that fill the memory do not cut a replayed head inside a segment', async () => {
  const before = await newMachine();
  const rig = await boot(before);
  await Promise.all([push(rig, [1]), push(rig, [2]), push(rig, [3])]);
  const dead = rig.log.position.stream;
  const headsMaxBytes = Math.floor(rig.builder.size * 1.5);
  const machine = kill(before);
  const gate = Promise.withResolvers<void>();
  let replayed = 0;
  const next = await boot(machine, {
    limits: { headsMaxBytes },
    change: ({ builder }) => ({
      builder: overridden(builder, {
        push: async (requests) => {
          if (requests[0]?.head === `${TENANT}/${dead}` && ++replayed === 2) await gate.promise;
          return builder.push(requests);
        },
      }),
    }),
  });
  await until(() => replayed === 2);
  await push(next, [4]);
  await until(async () => (await stored(next, machine)).includes(4));
  const { covered } = await next.manifest(TENANT).snapshot(never);
  expect(covered.get(dead)).toBeUndefined();
  gate.resolve();
  await next.ingester.flush(never);
  expect(await stored(next, machine)).toEqual([1, 2, 3, 4]);
});

test('a stream whose replay ends while another is dropped keeps its records', async () => {
  const end = Promise.withResolvers<never>();
  end.promise.catch(() => undefined);
  const before = await newMachine();
  const first = await boot(before);
  await push(first, [1]);
  const between = kill(before);
  // Streams are replayed in the order of their ids, which is that of milliseconds.
  await systemClock.sleep(5);
  const second = await boot(between, {
    change: ({ cutter }) => ({ cutter: { ...cutter, cut: () => end.promise } }),
  });
  await push(second, [2]);
  const machine = kill(between);

  const oldest = first.log.position.stream;
  const replayOfSecond = Promise.withResolvers<void>();
  const dropOfFirst = Promise.withResolvers<void>();
  let cuts = 0;
  const next = await boot(machine, {
    change: ({ log, cutter }) => ({
      log: overridden(log, {
        seal: async (stream, signal) => {
          if (stream !== oldest) await replayOfSecond.promise;
          return log.seal(stream, signal);
        },
        drop: async (at) => {
          if (at.stream === oldest) {
            replayOfSecond.resolve();
            await dropOfFirst.promise;
          }
          return log.drop(at);
        },
      }),
      // The second stream's block is never written.
      cutter: {
        ...cutter,
        cut: async (view, options) => (++cuts === 1 ? cutter.cut(view, options) : end.promise),
      },
    }),
  });
  await until(() => !next.ingester.replaying);
  dropOfFirst.resolve();
  await until(() => next.log.streams().every(({ stream }) => stream !== oldest));
  await systemClock.sleep(20);
  const last = await boot(kill(machine));
  await last.ingester.flush(never);
  expect(await stored(last, machine)).toEqual([1, 2]);
  end.reject(new Error('the test is over'));
});

test('a store that is down at the start is waited for', async () => {
  const before = await newMachine();
  await push(await boot(before), [1]);
  const { files, store } = kill(before);
  const faulty = createFaultyStore(store);
  faulty.down = true;
  const machine = { files, store: faulty };
  const next = await boot(machine);
  await push(next, [2]);
  await until(() => next.lines.length > 1);
  expect((await next.ingester.findTrace(TENANT, traceIdOf(1))).problems).toHaveLength(1);
  faulty.down = false;
  await until(() => !next.ingester.replaying);
  const blocks = await stored(next, machine);
  expect(new Set([...(await held(next, 1)), ...blocks])).toEqual(new Set([1, 2]));
});

test('a commit of a dead process that lands during the replay leaves the rest to be replayed again', async () => {
  const before = await newMachine();
  const { store } = before;
  const late: (() => Promise<unknown>)[] = [];
  const hanging: ObjectStore = {
    ...store,
    put: (key, body, options) => {
      if (!key.endsWith('/root')) return store.put(key, body, options);
      late.push(() => store.put(key, body, options?.only === undefined ? {} : { only: options.only }));
      return new Promise((_, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new VivaceError('canceled', 'canceled', 'canceled')));
      });
    },
  };
  const rig = await boot({ ...before, store: hanging });
  await push(rig, [1, 2]);
  const flushed = rig.ingester.flush(never);
  flushed.catch(() => undefined);
  await until(() => late.length === 1);
  await push(rig, [3, 4]);
  await push(rig, [5], 'other');
  const machine = kill(before);

  const gate = Promise.withResolvers<void>();
  const next = await boot(machine, {
    change: ({ cutter }) => ({
      cutter: { ...cutter, cut: async (view, options) => gate.promise.then(() => cutter.cut(view, options)) },
    }),
  });
  await until(() => !next.ingester.replaying);
  await late[0]?.();
  gate.resolve();
  await next.ingester.flush(never);
  expect(await stored(next, machine)).toEqual([1, 2, 3, 4]);
  expect(await stored(next, machine, 'other')).toEqual([5]);
  expect(segmentsOf(next)).toEqual([]);
});

test('what a stream has left whose coverage is forgotten is not read again and again', async () => {
  const before = await newMachine();
  const rig = await boot(before, { change: ({ log }) => ({ log: overridden(log, { drop: async () => undefined }) }) });
  await push(rig, [1, 2]);
  await rig.ingester.flush(never);
  expect(segmentsOf(rig)).toHaveLength(1);
  const machine = kill(before);
  // What a sweep commits when it finds the stream closed, two days later.
  const commit = (edit: Partial<ManifestEdit>) =>
    rig.manifest(TENANT).commit({ add: [], remove: [], cover: [], ...edit }, never);
  const floorMs = Date.now() + 1;
  await commit({ floorMs });
  await commit({ forgetBelowMs: floorMs });

  const next = await boot(machine);
  await until(() => !next.ingester.replaying && segmentsOf(next).length === 0);
  await next.ingester.flush(never);
  expect(await held(next, 1)).toEqual([]);
  expect(await stored(next, machine)).toEqual([1, 2]);
  expect(next.lines.filter(({ msg }) => msg.includes('was not committed'))).toHaveLength(1);
});

test('blocks that got older than the floor while they waited are stored again', async () => {
  const machine = await newMachine();
  let raised = false;
  const rig = await boot(machine, {
    change: ({ manifest }) => ({
      manifest: (tenant) => {
        const real = manifest(tenant);
        const commit: Manifest['commit'] = async (edit, signal) => {
          if (edit.add.length > 0 && edit.cover[0]?.from === 1 && !raised) {
            raised = true;
            const floorMs = Date.now() + 20;
            await real.commit({ add: [], remove: [], cover: [], floorMs }, signal);
          }
          return real.commit(edit, signal);
        };
        return { ...real, commit };
      },
    }),
  });
  for (const span of [1, 2]) {
    await push(rig, [span]);
    await rig.ingester.flush(never);
  }
  expect(raised).toBe(true);
  expect(await stored(rig, machine)).toEqual([1, 2]);
  expect(segmentsOf(rig)).toEqual([]);
});

test('a generation that cannot be encoded stops those of its tenant only', async () => {
  const machine = await newMachine();
  let broken = true;
  let first: unknown;
  const rig = await boot(machine, {
    limits: { generationMaxBytes: 1 },
    change: ({ cutter }) => ({
      cutter: {
        ...cutter,
        cut: (view, options) => {
          first ??= view;
          if (broken && view === first) throw new Error('a defect');
          return cutter.cut(view, options);
        },
      },
    }),
  });
  await push(rig, [1], 'a');
  await push(rig, [2], 'b');
  await until(async () => (await stored(rig, machine, 'b')).length === 1);
  broken = false;
  await rig.ingester.flush(never);
  expect(await stored(rig, machine, 'a')).toEqual([1]);
  expect(rig.lines.some(({ msg }) => msg.includes('encoding a block failed: a defect'))).toBe(true);
});

test('what is replayed days later has no wrong clock', async () => {
  const before = await newMachine();
  const daysAgo = { ...systemClock, nowMs: () => Date.now() - 3 * 24 * 3_600_000 };
  const rig = await boot(before, { clock: daysAgo });
  await rig.ingester.push(TENANT, spanRequest([1], { startMs: daysAgo.nowMs() }), never);
  const machine = kill(before);
  const next = await boot(machine);
  await next.ingester.flush(never);
  const { live } = await next.manifest(TENANT).snapshot(never);
  expect(live.map(({ misdated }) => misdated ?? false)).toEqual([false]);
});

test('a stop in the midst of a replay or a flush ends both, and nothing is said to be done', async () => {
  const before = await newMachine();
  const rig = await boot(before);
  await push(rig, [1]);
  const { files, store } = kill(before);
  const faulty = createFaultyStore(store);
  faulty.down = true;
  const next = await boot({ files, store: faulty });
  await push(next, [2]);
  const flushed = next.ingester.flush(never);
  const refused = expect(flushed).rejects.toMatchObject({ kind: 'unavailable', code: 'stopping' });
  await next.stop();
  await refused;
  await expect(push(next, [3])).rejects.toMatchObject({ kind: 'unavailable', code: 'stopping' });

  const machine = { files: files.kill(), store };
  const last = await boot(machine);
  await last.ingester.flush(never);
  expect(await stored(last, machine)).toEqual([1, 2]);
});

test('a flush that is stopped while the store is down does not say that it is done', async () => {
  const { files, store } = await newMachine();
  const faulty = createFaultyStore(store);
  const rig = await boot({ files, store: faulty });
  await push(rig, [1]);
  faulty.down = true;
  const refused = expect(rig.ingester.flush(never)).rejects.toMatchObject({ code: 'stopping' });
  await until(() => rig.lines.length > 0);
  await rig.stop();
  await refused;
});

test('a full memory refuses requests with a time to retry, and takes them when the store is back', async () => {
  const { files, store } = await newMachine();
  const faulty = createFaultyStore(store);
  const machine = { files, store: faulty };
  const size = await sizeOfOneHead();
  // A clock that hurries: who waits for room has waited long enough at once.
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() * 100,
    after: (ms, callback) => systemClock.after(ms / 100, callback),
  };
  const rig = await boot(machine, { clock, limits: { headsMaxBytes: size * 3, generationMaxBytes: 1 } });
  faulty.down = true;
  const expected: number[] = [];
  let refused: unknown;
  for (let span = 1; span < 100 && refused === undefined; span++) {
    await push(rig, [span]).then(
      () => expected.push(span),
      (error: unknown) => {
        refused = error;
      },
    );
  }
  expect(refused).toMatchObject({ kind: 'unavailable', code: 'heads-full', retryAfterMs: 2000 });
  expect(rig.builder.size).toBeLessThan(size * 5);
  faulty.down = false;
  await until(() =>
    push(rig, [100]).then(
      () => true,
      () => false,
    ),
  );
  await rig.ingester.flush(never);
  expect(await stored(rig, machine)).toEqual([...expected, 100]);
});

async function sizeOfOneHead(): Promise<number> {
  const limits = { maxAttributeBytes: 1000, maxTraceBytes: 1000 };
  const builder = createLocalHeadBuilder({ limits, maxColumns: 16, seed: 1 });
  await builder.push([{ head: 'a', bytes: spanRequest([1]).bytes }]);
  return builder.size;
}
