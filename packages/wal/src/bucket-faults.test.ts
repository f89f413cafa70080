import { isKind, toVivaceError, utf8Decode } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { beforeEach, describe, expect, test } from 'vitest';
import { BucketScene, failureOf, HOUR_MS, isSegment, never, puts } from './testing/bucket-scene.ts';
import { collectRecords } from './testing.ts';

/* The log in a bucket on a virtual clock: what goes wrong on the way. */

let scene: BucketScene;

beforeEach(() => {
  scene = new BucketScene();
});

describe('puts', () => {
  test.each(['409', '429', '500', '503', 'reset', 'timeout'] as const)(
    'are repeated after %s, refused or done, and the record is there once',
    async (answer) => {
      for (const kind of ['refused', 'done'] as const) {
        const one = await scene.open();
        let failures = 3;
        one.plan = (call) => (isSegment(call) && failures-- > 0 ? { kind, answer } : undefined);
        const { durable, position } = one.append('text');
        await scene.finished(durable);
        expect((await collectRecords(one.log, position)).map(({ bytes }) => utf8Decode(bytes))).toEqual(['text']);
        expect(await scene.numbersOf(position.stream)).toEqual([1]);
        expect(puts(one).length).toBe(kind === 'refused' ? 4 : 2);
        expect(one.events.filter((event) => event.kind === 'fenced')).toEqual([]);
      }
    },
  );

  test('that land late, after they were repeated, change nothing', async () => {
    const one = await scene.open();
    let first = true;
    one.plan = (call) => {
      if (!isSegment(call) || !first) return undefined;
      first = false;
      return { kind: 'late', delayMs: 60_000 };
    };
    const { durable, position } = one.append('text');
    await scene.finished(durable);
    await scene.passed(70_000);
    expect(await scene.numbersOf(position.stream)).toEqual([1]);
    await scene.finished(one.append('next').durable);
    expect(one.log.streams().length).toBe(1);
  });

  test('acknowledge a record when all lower segments are there, not before', async () => {
    const one = await scene.open();
    const done: string[] = [];
    one.plan = (call) => (call.key.endsWith('1') && isSegment(call) ? { kind: 'slow', delayMs: 2000 } : undefined);
    const first = one.append('first').durable.then(() => done.push('first'));
    one.log.rotate();
    const second = one.append('second').durable.then(() => done.push('second'));
    one.log.rotate();
    await scene.passed(1000);
    expect(await scene.numbersOf(one.log.position.stream)).toEqual([2]);
    expect(done).toEqual([]);
    await scene.finished(Promise.all([first, second]));
    expect(done).toEqual(['first', 'second']);
  });

  test('go at once when nothing is on its way, else together, and at most four at a time', async () => {
    const one = await scene.open({ limits: { segmentMaxBytes: 1000 } });
    one.plan = (call) => (isSegment(call) ? { kind: 'slow', delayMs: 400 } : undefined);
    const durables = [one.append('first').durable];
    await scene.passed(10);
    expect(puts(one).length).toBe(1);
    for (let i = 0; i < 20; i++) {
      durables.push(one.append(`${i}`).durable);
      await scene.passed(5);
    }
    expect(puts(one).length).toBe(1);
    await scene.passed(250);
    expect(puts(one).length).toBe(2);
    for (let i = 0; i < 10; i++) durables.push(one.append('x'.repeat(900)).durable);
    await scene.passed(1);
    expect(puts(one).length).toBe(4);
    await scene.finished(Promise.all(durables));
    expect(puts(one).length).toBe(12);
  });

  test('that hang are given up and sent again', async () => {
    const one = await scene.open();
    let first = true;
    one.plan = (call) => {
      if (!isSegment(call) || !first) return undefined;
      first = false;
      return { kind: 'slow', delayMs: HOUR_MS };
    };
    const { durable } = one.append('text');
    const error = await scene.finished(failureOf(durable));
    expect(isKind(error, 'unavailable')).toBe(true);
    // The record was refused to its sender, and goes on its way nevertheless.
    await scene.passed(5000);
    expect(await scene.numbersOf(one.log.position.stream)).toEqual([1]);
    expect(one.log.undurableBytes).toBe(0);
  });
});

test('a defect in writing a segment ends the stream there, and the log goes on in another', async () => {
  let defects = 1;
  const store: ObjectStore = {
    ...scene.memory,
    put: async (key, body, options) => {
      if (key.endsWith('000000000002') && defects-- > 0) throw toVivaceError(new TypeError('a defect'));
      return scene.memory.put(key, body, options);
    },
  };
  const one = await scene.open({ store });
  const { stream } = one.log.position;
  await scene.finished(one.append('first').durable);
  one.log.rotate();
  expect(await scene.finished(failureOf(one.append('second').durable))).toMatchObject({ code: 'log-write' });
  await scene.passed(1000);
  expect(one.log.position.stream).not.toBe(stream);
  await scene.finished(one.append('third').durable);
  await scene.passed(100_000);
  expect((await scene.finished(one.log.look(never))).found).toEqual([stream]);
  expect(await scene.takenOver(one, stream)).toEqual(['first']);
});

describe('back-pressure', () => {
  test('a bucket that takes nothing is answered with a time to retry, and nothing queues without bound', async () => {
    const one = await scene.open({ limits: { maxUndurableBytes: 10_000, segmentMaxBytes: 1000 } });
    one.plan = (call) => (isSegment(call) ? { kind: 'refused', answer: '503' } : undefined);
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) answers.push(failureOf(one.append('x'.repeat(900)).durable));
    expect(one.log.undurableBytes).toBeLessThanOrEqual(10_000);
    const errors = await scene.finished(Promise.all(answers));
    expect(errors.every((error) => isKind(error, 'unavailable') && error.retryAfterMs !== undefined)).toBe(true);
    const refused = await failureOf(one.append('x').durable);
    expect(refused).toMatchObject({ kind: 'unavailable', code: 'log-failed' });
    one.plan = () => undefined;
    await scene.passed(5000);
    await scene.finished(one.append('again').durable);
    expect(one.log.undurableBytes).toBe(0);
    expect(one.events.some((event) => event.kind === 'recovered')).toBe(true);
  });

  test('a record that can never fit is refused for good', async () => {
    const one = await scene.open({ limits: { maxUndurableBytes: 100 } });
    expect(await failureOf(one.append('x'.repeat(100)).durable)).toMatchObject({ kind: 'limited' });
  });

  test('a stop does not wait for a bucket that is gone', async () => {
    const one = await scene.open({ limits: { stopTimeoutMs: 1000 } });
    one.plan = () => ({ kind: 'refused', answer: 'reset' });
    const answer = failureOf(one.append('text').durable);
    const beforeMs = scene.clock.monotonicMs();
    await scene.finished(one.log.stop());
    expect(scene.clock.monotonicMs() - beforeMs).toBeLessThan(10_000);
    expect(isKind(await answer, 'unavailable')).toBe(true);
  });
});
