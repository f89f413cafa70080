import { isKind, seededRandom, toVivaceError, utf8Decode, utf8Encode, uuidV7TimeMs } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore, type Fault, type FaultCall } from '@vivace/object-store/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { leaseKey, segmentKey, segmentsPrefix } from './bucket-layout.ts';
import { decodeLease } from './bucket-lease.ts';
import { openBucketLog } from './bucket-log.ts';
import type { BucketLogEvent, BucketLogLimits } from './bucket-log-options.ts';
import { type InspectedBucketStream, inspectBucketLog } from './inspect-bucket-log.ts';
import type { WriteAheadLog } from './log.ts';
import { sweepLog } from './sweep-log.ts';
import { collectRecords } from './testing.ts';

/* The log in a bucket on a virtual clock: what goes wrong on the way, and what others do to its streams. */

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

let scheduler: ReturnType<typeof createScheduler>;
let memory: ObjectStore;
let logs = 0;
/** How far the store's clock is ahead. */
let aheadMs = 0;

beforeEach(() => {
  scheduler = createScheduler(seededRandom(1));
  aheadMs = 0;
  memory = createMemoryStore({ clock: { ...scheduler.clock, nowMs: () => scheduler.clock.nowMs() + aheadMs } });
});

/** Lets time pass until the promise is settled. */
async function finished<T>(promise: Promise<T>): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  promise.then(end, end);
  await scheduler.run(() => done);
  return promise;
}

const passed = (ms: number) => finished(scheduler.clock.sleep(ms));

interface Opened {
  log: WriteAheadLog;
  events: BucketLogEvent[];
  /** What goes wrong with its calls. */
  plan: (call: FaultCall) => Fault | undefined;
  calls: FaultCall[];
  append: (text: string, tenant?: string) => ReturnType<WriteAheadLog['append']>;
}

interface OpenOptions {
  instance?: string;
  limits?: Partial<BucketLogLimits>;
  skewMs?: number;
  /** While this says so, nothing of the process happens. */
  store?: ObjectStore;
}

async function open({ instance, limits = {}, skewMs = 0, store = memory }: OpenOptions = {}): Promise<Opened> {
  const calls: FaultCall[] = [];
  const faulty = createFaultyStore(store, {
    clock: scheduler.clock,
    plan: (call) => {
      calls.push(call);
      return opened.plan(call);
    },
  });
  const events: BucketLogEvent[] = [];
  const opened: Opened = {
    log: undefined as unknown as WriteAheadLog,
    events,
    plan: () => undefined,
    calls,
    append: (text, tenant = 'a') => opened.log.append(tenant, utf8Encode(text)),
  };
  const random = seededRandom(100 + logs++);
  const { clock } = scheduler;
  opened.log = await finished(
    openBucketLog({
      store: faulty,
      clock: { ...clock, nowMs: () => clock.nowMs() + skewMs },
      random,
      instance: instance ?? `process-${logs}`,
      limits,
      onEvent: (event) => events.push(event),
    }),
  );
  return opened;
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );
const isSegment = ({ operation, key }: FaultCall) => operation === 'put' && key.startsWith('wal/');
const puts = ({ calls }: Opened) => calls.filter(isSegment);
const numbersOf = async (stream: string) =>
  (await memory.list(segmentsPrefix(stream))).objects.map(({ key }) => Number(key.slice(-12)));

async function inspected(): Promise<InspectedBucketStream[]> {
  const streams: InspectedBucketStream[] = [];
  for await (const stream of inspectBucketLog(memory, { signal: never })) streams.push(stream);
  return streams;
}

/** The texts of a stream that a log takes over, after it has looked for it. */
async function takenOver({ log }: Opened, stream: string): Promise<string[]> {
  const { segments } = await finished(log.seal(stream, never));
  const texts: string[] = [];
  for (const { segment } of segments) {
    for (const { bytes } of await finished(collectRecords(log, { stream, segment }))) texts.push(utf8Decode(bytes));
  }
  return texts;
}

describe('puts', () => {
  test.each(['409', '429', '500', '503', 'reset', 'timeout'] as const)(
    'are repeated after %s, refused or done, and the record is there once',
    async (answer) => {
      for (const kind of ['refused', 'done'] as const) {
        const one = await open();
        let failures = 3;
        one.plan = (call) => (isSegment(call) && failures-- > 0 ? { kind, answer } : undefined);
        const { durable, position } = one.append('text');
        await finished(durable);
        expect((await collectRecords(one.log, position)).map(({ bytes }) => utf8Decode(bytes))).toEqual(['text']);
        expect(await numbersOf(position.stream)).toEqual([1]);
        expect(puts(one).length).toBe(kind === 'refused' ? 4 : 2);
        expect(one.events.filter((event) => event.kind === 'fenced')).toEqual([]);
      }
    },
  );

  test('that land late, after they were repeated, change nothing', async () => {
    const one = await open();
    let first = true;
    one.plan = (call) => {
      if (!isSegment(call) || !first) return undefined;
      first = false;
      return { kind: 'late', delayMs: 60_000 };
    };
    const { durable, position } = one.append('text');
    await finished(durable);
    await passed(70_000);
    expect(await numbersOf(position.stream)).toEqual([1]);
    await finished(one.append('next').durable);
    expect(one.log.streams().length).toBe(1);
  });

  test('acknowledge a record when all lower segments are there, not before', async () => {
    const one = await open();
    const done: string[] = [];
    one.plan = (call) => (call.key.endsWith('1') && isSegment(call) ? { kind: 'slow', delayMs: 2000 } : undefined);
    const first = one.append('first').durable.then(() => done.push('first'));
    one.log.rotate();
    const second = one.append('second').durable.then(() => done.push('second'));
    one.log.rotate();
    await passed(1000);
    expect(await numbersOf(one.log.position.stream)).toEqual([2]);
    expect(done).toEqual([]);
    await finished(Promise.all([first, second]));
    expect(done).toEqual(['first', 'second']);
  });

  test('go at once when nothing is on its way, else together, and at most four at a time', async () => {
    const one = await open({ limits: { segmentMaxBytes: 1000 } });
    one.plan = (call) => (isSegment(call) ? { kind: 'slow', delayMs: 400 } : undefined);
    const durables = [one.append('first').durable];
    await passed(10);
    expect(puts(one).length).toBe(1);
    for (let i = 0; i < 20; i++) {
      durables.push(one.append(`${i}`).durable);
      await passed(5);
    }
    expect(puts(one).length).toBe(1);
    await passed(250);
    expect(puts(one).length).toBe(2);
    for (let i = 0; i < 10; i++) durables.push(one.append('x'.repeat(900)).durable);
    await passed(1);
    expect(puts(one).length).toBe(4);
    await finished(Promise.all(durables));
    expect(puts(one).length).toBe(12);
  });

  test('that hang are given up and sent again', async () => {
    const one = await open();
    let first = true;
    one.plan = (call) => {
      if (!isSegment(call) || !first) return undefined;
      first = false;
      return { kind: 'slow', delayMs: HOUR_MS };
    };
    const { durable } = one.append('text');
    const error = await finished(failureOf(durable));
    expect(isKind(error, 'unavailable')).toBe(true);
    // The record was refused to its sender, and goes on its way nevertheless.
    await passed(5000);
    expect(await numbersOf(one.log.position.stream)).toEqual([1]);
    expect(one.log.undurableBytes).toBe(0);
  });
});

test('a defect in writing a segment ends the stream there, and the log goes on in another', async () => {
  let defects = 1;
  const store: ObjectStore = {
    ...memory,
    put: async (key, body, options) => {
      if (key.endsWith('000000000002') && defects-- > 0) throw toVivaceError(new TypeError('a defect'));
      return memory.put(key, body, options);
    },
  };
  const one = await open({ store });
  const { stream } = one.log.position;
  await finished(one.append('first').durable);
  one.log.rotate();
  expect(await finished(failureOf(one.append('second').durable))).toMatchObject({ code: 'log-write' });
  await passed(1000);
  expect(one.log.position.stream).not.toBe(stream);
  await finished(one.append('third').durable);
  await passed(100_000);
  expect((await finished(one.log.look(never))).found).toEqual([stream]);
  expect(await takenOver(one, stream)).toEqual(['first']);
});

describe('back-pressure', () => {
  test('a bucket that takes nothing is answered with a time to retry, and nothing queues without bound', async () => {
    const one = await open({ limits: { maxUndurableBytes: 10_000, segmentMaxBytes: 1000 } });
    one.plan = (call) => (isSegment(call) ? { kind: 'refused', answer: '503' } : undefined);
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) answers.push(failureOf(one.append('x'.repeat(900)).durable));
    expect(one.log.undurableBytes).toBeLessThanOrEqual(10_000);
    const errors = await finished(Promise.all(answers));
    expect(errors.every((error) => isKind(error, 'unavailable') && error.retryAfterMs !== undefined)).toBe(true);
    const refused = await failureOf(one.append('x').durable);
    expect(refused).toMatchObject({ kind: 'unavailable', code: 'log-failed' });
    one.plan = () => undefined;
    await passed(5000);
    await finished(one.append('again').durable);
    expect(one.log.undurableBytes).toBe(0);
    expect(one.events.some((event) => event.kind === 'recovered')).toBe(true);
  });

  test('a record that can never fit is refused for good', async () => {
    const one = await open({ limits: { maxUndurableBytes: 100 } });
    expect(await failureOf(one.append('x'.repeat(100)).durable)).toMatchObject({ kind: 'limited' });
  });

  test('a stop does not wait for a bucket that is gone', async () => {
    const one = await open({ limits: { stopTimeoutMs: 1000 } });
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    const answer = failureOf(one.append('text').durable);
    const beforeMs = scheduler.clock.monotonicMs();
    await finished(one.log.stop());
    expect(scheduler.clock.monotonicMs() - beforeMs).toBeLessThan(10_000);
    expect(isKind(await answer, 'unavailable')).toBe(true);
  });
});

describe('streams of others', () => {
  test('are left alone while their lease is young, whatever the clocks of the processes say', async () => {
    const one = await open();
    const { stream } = one.log.position;
    await finished(one.append('text').durable);
    for (const skewMs of [-HOUR_MS, HOUR_MS]) {
      const two = await open({ skewMs });
      await passed(120_000);
      const { found, foreign } = await finished(two.log.look(never));
      expect(found).toEqual([]);
      expect(foreign.map((other) => other.stream)).toContain(stream);
      expect(Math.abs(uuidV7TimeMs(two.log.position.stream) - scheduler.clock.nowMs())).toBeLessThan(200_000);
      await finished(two.log.stop());
    }
    await finished(one.append('more').durable);
    expect(one.log.position.stream).toBe(stream);
  });

  test('are taken over when their lease is old, and the owner that wakes up loses nothing that it acknowledged', async () => {
    const asleep = { is: false };
    const one = await open({ limits: { ackTimeoutMs: HOUR_MS } });
    const { stream } = one.log.position;
    await finished(one.append('first').durable);
    one.log.rotate();
    await finished(one.append('second').durable);
    // Nothing of it reaches the bucket any more.
    one.plan = () => (asleep.is ? { kind: 'slow', delayMs: 300_000 } : undefined);
    asleep.is = true;
    const unacknowledged = failureOf(one.append('third').durable);
    const two = await open();
    await passed(100_000);
    const { found } = await finished(two.log.look(never));
    expect(found).toEqual([stream]);
    expect(await takenOver(two, stream)).toEqual(['first', 'second']);
    expect(await numbersOf(stream)).toEqual([1, 2, 3]);

    asleep.is = false;
    const error = await finished(unacknowledged);
    expect(error).toMatchObject({ kind: 'unavailable', code: 'log-fenced' });
    await passed(1000);
    expect(one.log.position.stream).not.toBe(stream);
    const { durable, position } = one.append('fourth');
    await finished(durable);
    expect(position.stream).toBe(one.log.position.stream);
    // What it has of the old stream is read until the other has closed it.
    expect(one.log.streams().map((state) => state.stream)).toContain(stream);
    await finished(two.log.drop({ stream, segment: 2 }));
    await finished(one.log.look(never));
    expect(one.log.streams().map((state) => state.stream)).toEqual([position.stream]);
    // Only the seal is left.
    expect(await numbersOf(stream)).toEqual([3]);
    expect((await memory.list('streams/')).objects.map(({ key }) => key)).not.toContain(leaseKey(stream));
  });

  test('are not sealed when their owner has written the lease again since they were found', async () => {
    const one = await open();
    const { stream } = one.log.position;
    await finished(one.append('text').durable);
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    const two = await open();
    await passed(100_000);
    expect((await finished(two.log.look(never))).found).toEqual([stream]);
    one.plan = () => undefined;
    await passed(15_000);
    expect(await finished(failureOf(two.log.seal(stream, never)))).toMatchObject({ kind: 'conflict' });
    expect(two.log.streams().map((state) => state.stream)).toEqual([two.log.position.stream]);
    await finished(one.append('more').durable);
  });

  test('of a process of the same name, or of one that has stopped, are taken over at once', async () => {
    const first = await open({ instance: 'pod-0' });
    await finished(first.append('killed').durable);
    const { stream } = first.log.position;
    const second = await open({ instance: 'pod-0' });
    expect(await takenOver(second, stream)).toEqual(['killed']);

    await finished(second.append('stopped').durable);
    const stopped = second.log.position.stream;
    await finished(second.log.stop());
    const third = await open({ instance: 'pod-1' });
    expect(third.log.streams().map((state) => state.stream)).toContain(stopped);
    expect(await takenOver(third, stopped)).toEqual(['stopped']);
  });

  test('may be taken over by two at a time', async () => {
    const one = await open();
    const { stream } = one.log.position;
    for (let i = 1; i <= 20; i++) {
      await finished(one.append(`${i}`).durable);
    }
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    await passed(100_000);
    const heirs = [await open(), await open()] as const;
    const expected = Array.from({ length: 20 }, (_, i) => `${i + 1}`);
    const texts = await finished(Promise.all(heirs.map((heir) => takenOver(heir, stream))));
    expect(texts).toEqual([expected, expected]);
    await finished(Promise.all(heirs.map(({ log }) => log.drop({ stream, segment: 20 }))));
    expect(await numbersOf(stream)).toEqual([21]);
    for (const { log } of heirs) expect(log.streams().length).toBe(1);
  });

  test('end at the first missing number: what is above was never acknowledged and is deleted', async () => {
    const one = await open({ limits: { ackTimeoutMs: HOUR_MS } });
    const { stream } = one.log.position;
    await finished(one.append('first').durable);
    one.log.rotate();
    one.plan = (call) => (isSegment(call) && call.key.endsWith('2') ? { kind: 'slow', delayMs: HOUR_MS } : undefined);
    void failureOf(one.append('second').durable);
    one.log.rotate();
    void failureOf(one.append('third').durable);
    await passed(1000);
    expect(await numbersOf(stream)).toEqual([1, 3]);
    one.plan = () => ({ kind: 'slow', delayMs: HOUR_MS });
    await passed(100_000);
    const two = await open();
    expect(await takenOver(two, stream)).toEqual(['first']);
    expect(await numbersOf(stream)).toEqual([1, 2, 3]);
    await finished(two.log.drop({ stream, segment: 1 }));
    expect(await numbersOf(stream)).toEqual([2]);
  });

  test('leave nothing, also where whoever dropped their segments died before they were deleted', async () => {
    const one = await open({ instance: 'pod-0' });
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3']) {
      await finished(one.append(text).durable);
      one.log.rotate();
    }
    one.plan = ({ operation }) => (operation === 'delete' ? { kind: 'refused', answer: 'reset' } : undefined);
    await finished(failureOf(one.log.drop({ stream, segment: 3 })));
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    const two = await open({ instance: 'pod-0' });
    expect(await takenOver(two, stream)).toEqual([]);
    expect(await numbersOf(stream)).toEqual([4]);
  });

  test('are sealed further up when their owner drops segments in between', async () => {
    const one = await open();
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3', '4']) {
      await finished(one.append(text).durable);
      one.log.rotate();
    }
    // The lease is read, then the owner drops three segments, then the list is made, with the one on which it rests gone.
    let dropped = false;
    const store: ObjectStore = {
      ...memory,
      list: async (prefix, options) => {
        if (prefix === segmentsPrefix(stream) && !dropped && sealing) {
          dropped = true;
          await one.log.drop({ stream, segment: 3 });
        }
        return memory.list(prefix, options);
      },
    };
    let sealing = false;
    await passed(1000);
    const two = await open({ store });
    one.plan = () => (dropped ? { kind: 'refused', answer: 'reset' } : undefined);
    void passed(100_000);
    await passed(9000);
    one.plan = ({ key }) => (key.startsWith('streams/') && !sealing ? { kind: 'refused', answer: 'reset' } : undefined);
    await passed(100_000);
    expect((await finished(two.log.look(never))).found).toEqual([stream]);
    sealing = true;
    expect(await takenOver(two, stream)).toEqual(['4']);
  });

  test('whose lease comes back after they were closed are closed again, and the first seal stays', async () => {
    const one = await open();
    const { stream } = one.log.position;
    await finished(one.append('text').durable);
    const lease = (await memory.get(leaseKey(stream))).bytes;
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    await passed(100_000);
    const two = await open();
    expect(await takenOver(two, stream)).toEqual(['text']);
    await finished(two.log.drop({ stream, segment: 1 }));
    await memory.put(leaseKey(stream), [lease]);
    await passed(100_000);
    expect((await finished(two.log.look(never))).found).toEqual([stream]);
    expect(await takenOver(two, stream)).toEqual([]);
    expect(await numbersOf(stream)).toEqual([1, 2]);
    expect((await memory.list('streams/')).objects.map(({ key }) => key)).toEqual([leaseKey(two.log.position.stream)]);
  });
});

describe('leases', () => {
  test('say what is dropped before it is deleted, and never less again', async () => {
    const one = await open();
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3']) {
      await finished(one.append(text).durable);
      one.log.rotate();
    }
    const order: string[] = [];
    let answered = 0;
    one.plan = ({ operation, key }) => {
      if (operation === 'delete') order.push(key);
      if (operation !== 'put' || !key.startsWith('streams/')) return undefined;
      order.push('lease');
      // Done, and the answer is lost; then refused as often as it is tried.
      return answered++ === 0 ? { kind: 'done', answer: 'reset' } : { kind: 'refused', answer: '503' };
    };
    expect(await finished(failureOf(one.log.drop({ stream, segment: 2 })))).toMatchObject({ kind: 'unavailable' });
    expect(order.every((what) => what === 'lease')).toBe(true);
    one.plan = () => undefined;
    await passed(11_000);
    const { dropped } = decodeLease((await memory.get(leaseKey(stream))).bytes);
    expect(dropped).toBe(2);
    await finished(one.log.drop({ stream, segment: 2 }));
    expect(await numbersOf(stream)).toEqual([3]);
  });

  test('are written so that no two have the same ETag', async () => {
    const one = await open();
    const etags = new Set<string>();
    for (let beat = 0; beat < 5; beat++) {
      etags.add((await memory.head(leaseKey(one.log.position.stream))).etag);
      await passed(10_000);
    }
    expect(etags.size).toBe(5);
  });

  test('that something else deletes are put again, and the stream is taken over by its owner', async () => {
    const one = await open();
    const { stream } = one.log.position;
    await finished(one.append('text').durable);
    await memory.delete(leaseKey(stream));
    await passed(15_000);
    expect(one.log.position.stream).not.toBe(stream);
    expect((await finished(one.log.look(never))).found).toEqual([]);
    expect(one.log.streams().map((state) => state.stream)).toContain(stream);
    expect(one.events.map(({ kind }) => kind)).toContain('lease-deleted');
    await passed(100_000);
    expect((await finished(one.log.look(never))).found).toEqual([stream]);
    expect(await takenOver(one, stream)).toEqual(['text']);
  });

  test('that are not a lease let a stream be taken over from its lowest segment on', async () => {
    const one = await open();
    const { stream } = one.log.position;
    await finished(one.append('text').durable);
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    for (const bytes of [utf8Encode('{"version":1}'), new Uint8Array(5000)]) {
      await memory.put(leaseKey(stream), [bytes]);
      await passed(100_000);
      const two = await open();
      expect(await takenOver(two, stream)).toEqual(['text']);
    }
  });
});

test('a log that was just opened takes records only when every list of streams has its own, and reads others meanwhile', async () => {
  const earlier = await open({ instance: 'same' });
  const { durable, position } = earlier.append('from before');
  await finished(durable);
  const one = await open({ instance: 'same', limits: { acceptAfterMs: 100_000 } });
  expect(await takenOver(one, position.stream)).toEqual(['from before']);
  const before = puts(one).length;
  for (let tries = 0; tries < 2; tries++) {
    const refused = { kind: 'unavailable', code: 'log-young', retryAfterMs: expect.any(Number) };
    expect(await failureOf(one.append('early').durable)).toMatchObject(refused);
    await passed(30_000);
  }
  expect(puts(one)).toHaveLength(before);
  await passed(40_000);
  await finished(one.append('in time').durable);
  expect(puts(one)).toHaveLength(before + 1);
});

test('a stream of a day is followed by another, and closed when nothing is left of it', async () => {
  const one = await open();
  const { stream } = one.log.position;
  await finished(one.append('old').durable);
  await passed(24 * HOUR_MS + 30_000);
  expect(one.log.position.stream).not.toBe(stream);
  await finished(one.append('new').durable);
  const before = one.log.streams().find((state) => state.stream === stream);
  expect(before).toMatchObject({ open: false, segments: [{ segment: 1 }] });
  await finished(one.log.drop({ stream, segment: 1 }));
  expect((await memory.list('streams/')).objects.map(({ key }) => key)).toEqual([leaseKey(one.log.position.stream)]);
});

test('a stream whose lease took more than an hour is given up for a younger one', async () => {
  let opening = true;
  const store: ObjectStore = {
    ...memory,
    put: async (key, body, options) => {
      if (opening && key.startsWith('streams/')) {
        opening = false;
        await scheduler.clock.sleep(2 * HOUR_MS);
      }
      return memory.put(key, body, options);
    },
  };
  const one = await open({ store });
  const ageMs = scheduler.clock.nowMs() - uuidV7TimeMs(one.log.position.stream);
  expect(ageMs).toBeLessThan(HOUR_MS);
  expect((await memory.list('streams/')).objects.length).toBe(1);
});

test('the log can be looked at beside its processes', async () => {
  const one = await open({ instance: 'pod-0' });
  one.append('12345', 'b');
  await finished(one.append('123').durable);
  const [first, ...more] = await inspected();
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    stream: one.log.position.stream,
    lease: { instance: 'pod-0', dropped: 0, released: false },
    seals: [],
    segments: [{ segment: 1, records: 2, unread: undefined }],
  });
  expect(first?.segments[0]?.tenants).toEqual(
    new Map([
      ['b', { records: 1, bytes: 5 }],
      ['a', { records: 1, bytes: 3 }],
    ]),
  );
  await memory.put(segmentKey({ stream: one.log.position.stream, segment: 2 }), [new Uint8Array(70)]);
  const [damaged] = await inspected();
  expect(damaged?.segments[1]?.unread?.bytes).toBe(70);
});

test('what closed streams have left goes after two days, seals after a year', async () => {
  const one = await open();
  const { stream } = one.log.position;
  await finished(one.append('text').durable);
  const segment = (await memory.get(segmentKey({ stream, segment: 1 }))).bytes;
  one.plan = () => ({ kind: 'slow', delayMs: 1e12 });
  await passed(100_000);
  const two = await open();
  await takenOver(two, stream);
  await finished(two.log.drop({ stream, segment: 1 }));
  await finished(two.log.stop());
  // A put that landed late.
  await memory.put(segmentKey({ stream, segment: 1 }), [segment]);
  expect(await sweepLog(memory, never)).toBe(0);
  aheadMs += 49 * HOUR_MS;
  expect(await sweepLog(memory, never)).toBe(1);
  expect(await numbersOf(stream)).toEqual([2]);
  aheadMs += 366 * 24 * HOUR_MS;
  const three = await open({ limits: { sweepIntervalMs: 1000 } });
  for (let looks = 0; looks < 2; looks++) {
    await finished(three.log.look(never));
    await passed(2000);
  }
  expect(await numbersOf(stream)).toEqual([]);
});
