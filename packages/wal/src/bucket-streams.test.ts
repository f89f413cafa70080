import { utf8Encode, uuidV7TimeMs } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { beforeEach, describe, expect, test } from 'vitest';
import { leaseKey, segmentKey, segmentsPrefix } from './bucket-layout.ts';
import { decodeLease } from './bucket-lease.ts';
import { sweepLog } from './sweep-log.ts';
import { BucketScene, failureOf, HOUR_MS, isSegment, never, puts } from './testing/bucket-scene.ts';

/* The log in a bucket on a virtual clock: what others do to its streams, its leases, and what becomes of old streams. */

let scene: BucketScene;

beforeEach(() => {
  scene = new BucketScene();
});

describe('streams of others', () => {
  test('are left alone while their lease is young, whatever the clocks of the processes say', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    await scene.finished(one.append('text').durable);
    for (const skewMs of [-HOUR_MS, HOUR_MS]) {
      const two = await scene.open({ skewMs });
      await scene.passed(120_000);
      const { found, foreign } = await scene.finished(two.log.look(never));
      expect(found).toEqual([]);
      expect(foreign.map((other) => other.stream)).toContain(stream);
      expect(Math.abs(uuidV7TimeMs(two.log.position.stream) - scene.clock.nowMs())).toBeLessThan(200_000);
      await scene.finished(two.log.stop());
    }
    await scene.finished(one.append('more').durable);
    expect(one.log.position.stream).toBe(stream);
  });

  test('are taken over when their lease is old, and the owner that wakes up loses nothing that it acknowledged', async () => {
    const asleep = { is: false };
    const one = await scene.open({ limits: { ackTimeoutMs: HOUR_MS } });
    const { stream } = one.log.position;
    await scene.finished(one.append('first').durable);
    one.log.rotate();
    await scene.finished(one.append('second').durable);
    // Nothing of it reaches the bucket any more.
    one.plan = () => (asleep.is ? { kind: 'slow', delayMs: 300_000 } : undefined);
    asleep.is = true;
    const unacknowledged = failureOf(one.append('third').durable);
    const two = await scene.open();
    await scene.passed(100_000);
    const { found } = await scene.finished(two.log.look(never));
    expect(found).toEqual([stream]);
    expect(await scene.takenOver(two, stream)).toEqual(['first', 'second']);
    expect(await scene.numbersOf(stream)).toEqual([1, 2, 3]);

    asleep.is = false;
    const error = await scene.finished(unacknowledged);
    expect(error).toMatchObject({ kind: 'unavailable', code: 'log-fenced' });
    await scene.passed(1000);
    expect(one.log.position.stream).not.toBe(stream);
    const { durable, position } = one.append('fourth');
    await scene.finished(durable);
    expect(position.stream).toBe(one.log.position.stream);
    // What it has of the old stream is read until the other has closed it.
    expect(one.log.streams().map((state) => state.stream)).toContain(stream);
    await scene.finished(two.log.drop({ stream, segment: 2 }));
    await scene.finished(one.log.look(never));
    expect(one.log.streams().map((state) => state.stream)).toEqual([position.stream]);
    // Only the seal is left.
    expect(await scene.numbersOf(stream)).toEqual([3]);
    expect((await scene.memory.list('streams/')).objects.map(({ key }) => key)).not.toContain(leaseKey(stream));
  });

  test('are not sealed when their owner has written the lease again since they were found', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    await scene.finished(one.append('text').durable);
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    const two = await scene.open();
    await scene.passed(100_000);
    expect((await scene.finished(two.log.look(never))).found).toEqual([stream]);
    one.plan = () => undefined;
    await scene.passed(15_000);
    expect(await scene.finished(failureOf(two.log.seal(stream, never)))).toMatchObject({ kind: 'conflict' });
    expect(two.log.streams().map((state) => state.stream)).toEqual([two.log.position.stream]);
    await scene.finished(one.append('more').durable);
  });

  test('of a process of the same name, or of one that has stopped, are taken over at once', async () => {
    const first = await scene.open({ instance: 'pod-0' });
    await scene.finished(first.append('killed').durable);
    const { stream } = first.log.position;
    const second = await scene.open({ instance: 'pod-0' });
    expect(await scene.takenOver(second, stream)).toEqual(['killed']);

    await scene.finished(second.append('stopped').durable);
    const stopped = second.log.position.stream;
    await scene.finished(second.log.stop());
    const third = await scene.open({ instance: 'pod-1' });
    expect(third.log.streams().map((state) => state.stream)).toContain(stopped);
    expect(await scene.takenOver(third, stopped)).toEqual(['stopped']);
  });

  test('may be taken over by two at a time', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    for (let i = 1; i <= 20; i++) {
      await scene.finished(one.append(`${i}`).durable);
    }
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    await scene.passed(100_000);
    const heirs = [await scene.open(), await scene.open()] as const;
    const expected = Array.from({ length: 20 }, (_, i) => `${i + 1}`);
    const texts = await scene.finished(Promise.all(heirs.map((heir) => scene.takenOver(heir, stream))));
    expect(texts).toEqual([expected, expected]);
    await scene.finished(Promise.all(heirs.map(({ log }) => log.drop({ stream, segment: 20 }))));
    expect(await scene.numbersOf(stream)).toEqual([21]);
    for (const { log } of heirs) expect(log.streams().length).toBe(1);
  });

  test('end at the first missing number: what is above was never acknowledged and is deleted', async () => {
    const one = await scene.open({ limits: { ackTimeoutMs: HOUR_MS } });
    const { stream } = one.log.position;
    await scene.finished(one.append('first').durable);
    one.log.rotate();
    one.plan = (call) => (isSegment(call) && call.key.endsWith('2') ? { kind: 'slow', delayMs: HOUR_MS } : undefined);
    void failureOf(one.append('second').durable);
    one.log.rotate();
    void failureOf(one.append('third').durable);
    await scene.passed(1000);
    expect(await scene.numbersOf(stream)).toEqual([1, 3]);
    one.plan = () => ({ kind: 'slow', delayMs: HOUR_MS });
    await scene.passed(100_000);
    const two = await scene.open();
    expect(await scene.takenOver(two, stream)).toEqual(['first']);
    expect(await scene.numbersOf(stream)).toEqual([1, 2, 3]);
    await scene.finished(two.log.drop({ stream, segment: 1 }));
    expect(await scene.numbersOf(stream)).toEqual([2]);
  });

  test('leave nothing, also where whoever dropped their segments died before they were deleted', async () => {
    const one = await scene.open({ instance: 'pod-0' });
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3']) {
      await scene.finished(one.append(text).durable);
      one.log.rotate();
    }
    one.plan = ({ operation }) => (operation === 'delete' ? { kind: 'refused', answer: 'reset' } : undefined);
    await scene.finished(failureOf(one.log.drop({ stream, segment: 3 })));
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    const two = await scene.open({ instance: 'pod-0' });
    expect(await scene.takenOver(two, stream)).toEqual([]);
    expect(await scene.numbersOf(stream)).toEqual([4]);
  });

  test('are sealed further up when their owner drops segments in between', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3', '4']) {
      await scene.finished(one.append(text).durable);
      one.log.rotate();
    }
    // The lease is read, then the owner drops three segments, then the list is made, with the one on which it rests gone.
    let dropped = false;
    const store: ObjectStore = {
      ...scene.memory,
      list: async (prefix, options) => {
        if (prefix === segmentsPrefix(stream) && !dropped && sealing) {
          dropped = true;
          await one.log.drop({ stream, segment: 3 });
        }
        return scene.memory.list(prefix, options);
      },
    };
    let sealing = false;
    await scene.passed(1000);
    const two = await scene.open({ store });
    one.plan = () => (dropped ? { kind: 'refused', answer: 'reset' } : undefined);
    void scene.passed(100_000);
    await scene.passed(9000);
    one.plan = ({ key }) => (key.startsWith('streams/') && !sealing ? { kind: 'refused', answer: 'reset' } : undefined);
    await scene.passed(100_000);
    expect((await scene.finished(two.log.look(never))).found).toEqual([stream]);
    sealing = true;
    expect(await scene.takenOver(two, stream)).toEqual(['4']);
  });

  test('whose lease comes back after they were closed are closed again, and the first seal stays', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    await scene.finished(one.append('text').durable);
    const lease = (await scene.memory.get(leaseKey(stream))).bytes;
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    await scene.passed(100_000);
    const two = await scene.open();
    expect(await scene.takenOver(two, stream)).toEqual(['text']);
    await scene.finished(two.log.drop({ stream, segment: 1 }));
    await scene.memory.put(leaseKey(stream), [lease]);
    await scene.passed(100_000);
    expect((await scene.finished(two.log.look(never))).found).toEqual([stream]);
    expect(await scene.takenOver(two, stream)).toEqual([]);
    expect(await scene.numbersOf(stream)).toEqual([1, 2]);
    expect((await scene.memory.list('streams/')).objects.map(({ key }) => key)).toEqual([
      leaseKey(two.log.position.stream),
    ]);
  });
});

describe('leases', () => {
  test('say what is dropped before it is deleted, and never less again', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    for (const text of ['1', '2', '3']) {
      await scene.finished(one.append(text).durable);
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
    expect(await scene.finished(failureOf(one.log.drop({ stream, segment: 2 })))).toMatchObject({
      kind: 'unavailable',
    });
    expect(order.every((what) => what === 'lease')).toBe(true);
    one.plan = () => undefined;
    await scene.passed(11_000);
    const { dropped } = decodeLease((await scene.memory.get(leaseKey(stream))).bytes);
    expect(dropped).toBe(2);
    await scene.finished(one.log.drop({ stream, segment: 2 }));
    expect(await scene.numbersOf(stream)).toEqual([3]);
  });

  test('are written so that no two have the same ETag', async () => {
    const one = await scene.open();
    const etags = new Set<string>();
    for (let beat = 0; beat < 5; beat++) {
      etags.add((await scene.memory.head(leaseKey(one.log.position.stream))).etag);
      await scene.passed(10_000);
    }
    expect(etags.size).toBe(5);
  });

  test('that something else deletes are put again, and the stream is taken over by its owner', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    await scene.finished(one.append('text').durable);
    await scene.memory.delete(leaseKey(stream));
    await scene.passed(15_000);
    expect(one.log.position.stream).not.toBe(stream);
    expect((await scene.finished(one.log.look(never))).found).toEqual([]);
    expect(one.log.streams().map((state) => state.stream)).toContain(stream);
    expect(one.events.map(({ kind }) => kind)).toContain('lease-deleted');
    await scene.passed(100_000);
    expect((await scene.finished(one.log.look(never))).found).toEqual([stream]);
    expect(await scene.takenOver(one, stream)).toEqual(['text']);
  });

  test('that are not a lease let a stream be taken over from its lowest segment on', async () => {
    const one = await scene.open();
    const { stream } = one.log.position;
    await scene.finished(one.append('text').durable);
    one.plan = () => ({ kind: 'slow', delayMs: 10 * HOUR_MS });
    for (const bytes of [utf8Encode('{"version":1}'), new Uint8Array(5000)]) {
      await scene.memory.put(leaseKey(stream), [bytes]);
      await scene.passed(100_000);
      const two = await scene.open();
      expect(await scene.takenOver(two, stream)).toEqual(['text']);
    }
  });
});

test('a log that was just opened takes records only when every list of streams has its own, and reads others meanwhile', async () => {
  const earlier = await scene.open({ instance: 'same' });
  const { durable, position } = earlier.append('from before');
  await scene.finished(durable);
  const one = await scene.open({ instance: 'same', limits: { acceptAfterMs: 100_000 } });
  expect(await scene.takenOver(one, position.stream)).toEqual(['from before']);
  const before = puts(one).length;
  for (let tries = 0; tries < 2; tries++) {
    const refused = { kind: 'unavailable', code: 'log-young', retryAfterMs: expect.any(Number) };
    expect(await failureOf(one.append('early').durable)).toMatchObject(refused);
    await scene.passed(30_000);
  }
  expect(puts(one)).toHaveLength(before);
  await scene.passed(40_000);
  await scene.finished(one.append('in time').durable);
  expect(puts(one)).toHaveLength(before + 1);
});

test('a stream of a day is followed by another, and closed when nothing is left of it', async () => {
  const one = await scene.open();
  const { stream } = one.log.position;
  await scene.finished(one.append('old').durable);
  await scene.passed(24 * HOUR_MS + 30_000);
  expect(one.log.position.stream).not.toBe(stream);
  await scene.finished(one.append('new').durable);
  const before = one.log.streams().find((state) => state.stream === stream);
  expect(before).toMatchObject({ open: false, segments: [{ segment: 1 }] });
  await scene.finished(one.log.drop({ stream, segment: 1 }));
  expect((await scene.memory.list('streams/')).objects.map(({ key }) => key)).toEqual([
    leaseKey(one.log.position.stream),
  ]);
});

test('a stream whose lease took more than an hour is given up for a younger one', async () => {
  let opening = true;
  const store: ObjectStore = {
    ...scene.memory,
    put: async (key, body, options) => {
      if (opening && key.startsWith('streams/')) {
        opening = false;
        await scene.clock.sleep(2 * HOUR_MS);
      }
      return scene.memory.put(key, body, options);
    },
  };
  const one = await scene.open({ store });
  const ageMs = scene.clock.nowMs() - uuidV7TimeMs(one.log.position.stream);
  expect(ageMs).toBeLessThan(HOUR_MS);
  expect((await scene.memory.list('streams/')).objects.length).toBe(1);
});

test('the log can be looked at beside its processes', async () => {
  const one = await scene.open({ instance: 'pod-0' });
  one.append('12345', 'b');
  await scene.finished(one.append('123').durable);
  const [first, ...more] = await scene.inspected();
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
  await scene.memory.put(segmentKey({ stream: one.log.position.stream, segment: 2 }), [new Uint8Array(70)]);
  const [damaged] = await scene.inspected();
  expect(damaged?.segments[1]?.unread?.bytes).toBe(70);
});

test('what closed streams have left goes after two days, seals after a year', async () => {
  const one = await scene.open();
  const { stream } = one.log.position;
  await scene.finished(one.append('text').durable);
  const segment = (await scene.memory.get(segmentKey({ stream, segment: 1 }))).bytes;
  one.plan = () => ({ kind: 'slow', delayMs: 1e12 });
  await scene.passed(100_000);
  const two = await scene.open();
  await scene.takenOver(two, stream);
  await scene.finished(two.log.drop({ stream, segment: 1 }));
  await scene.finished(two.log.stop());
  // A put that landed late.
  await scene.memory.put(segmentKey({ stream, segment: 1 }), [segment]);
  expect(await sweepLog(scene.memory, never)).toBe(0);
  scene.aheadMs += 49 * HOUR_MS;
  expect(await sweepLog(scene.memory, never)).toBe(1);
  expect(await scene.numbersOf(stream)).toEqual([2]);
  scene.aheadMs += 366 * 24 * HOUR_MS;
  const three = await scene.open({ limits: { sweepIntervalMs: 1000 } });
  for (let looks = 0; looks < 2; looks++) {
    await scene.finished(three.log.look(never));
    await scene.passed(2000);
  }
  expect(await scene.numbersOf(stream)).toEqual([]);
});
