import { isKind, seededRandom, utf8Decode, utf8Encode, VivaceError } from '@vivace/kernel';
import { createScheduler, type FileOperation, SimulatedFiles } from '@vivace/kernel/testing';
import { describe, expect, test } from 'vitest';
import { openDiskLog } from './disk-log.ts';
import type { DiskLogEvent, DiskLogLimits } from './disk-log-options.ts';
import type { WriteAheadLog } from './log.ts';
import { collectRecords, sealAndCollect } from './testing.ts';

const directory = '/data/wal';

/** A log on a simulated disk, on a clock that only the test moves. */
async function open(files: SimulatedFiles, more: Partial<DiskLogLimits> = {}, seed = 1) {
  // Nothing fills groups, so that bytes can be counted.
  const limits = { blockBytes: 1, ...more };
  const random = seededRandom(seed);
  const scheduler = createScheduler(random, { startMs: 1_700_000_000_000 + seed });
  const events: DiskLogEvent[] = [];
  const { clock } = scheduler;
  const log = await openDiskLog({ files, clock, random, directory, limits, onEvent: (event) => events.push(event) });
  /** Lets time pass and everything happen that it brings. */
  const pass = async (ms: number) => {
    let over = false;
    clock.after(ms, () => {
      over = true;
    });
    await scheduler.run(() => over);
  };
  return { log, events, pass, clock };
}

const append = (log: WriteAheadLog, text: string) => log.append('a', utf8Encode(text));

async function failure(promise: Promise<unknown>): Promise<VivaceError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(VivaceError);
  return error as VivaceError;
}

async function texts(log: WriteAheadLog, stream: string, segment: number): Promise<string[]> {
  return (await collectRecords(log, { stream, segment })).map(({ bytes }) => utf8Decode(bytes));
}

describe('a failed sync', () => {
  test('ends the stream at the last synced record and never writes the file again', async () => {
    const files = new SimulatedFiles();
    const { log, events, pass } = await open(files);
    const first = append(log, 'first');
    await first.durable;
    files.fault = ({ name }) => (name === 'sync' ? 'EIO' : undefined);
    const second = append(log, 'second');
    const error = await failure(second.durable);
    expect(error.kind).toBe('unavailable');
    expect(error.retryAfterMs).toBe(1000);
    expect(second.position).toEqual(first.position);
    files.fault = undefined;
    await pass(1);
    const written: FileOperation[] = [];
    files.fault = (operation) => {
      if (operation.name === 'append') written.push(operation);
      return undefined;
    };
    const third = append(log, 'third');
    await third.durable;
    expect(third.position.stream).not.toBe(first.position.stream);
    expect(written.every(({ path }) => path.includes(third.position.stream))).toBe(true);
    expect(await texts(log, first.position.stream, 1)).toEqual(['first']);
    expect(await texts(log, third.position.stream, 1)).toEqual(['third']);
    expect(log.streams().map((stream) => stream.open)).toEqual([false, true]);
    expect(events.map(({ kind }) => kind)).toEqual(['failed', 'recovered']);
    const sealed = await log.seal(first.position.stream, new AbortController().signal);
    expect(sealed).toMatchObject({ segments: [{ segment: 1, tenants: ['a'] }], damage: [] });
    await log.stop();
    const next = await open(files.crash(seededRandom(1)), {}, 2);
    expect((await sealAndCollect(next.log)).map(({ bytes }) => utf8Decode(bytes))).toEqual(['first', 'third']);
    await next.log.stop();
  });

  test('rejects everything that waits, and nobody has to look at it', async () => {
    const files = new SimulatedFiles({ fault: ({ name }) => (name === 'sync' ? 'EIO' : undefined) });
    const { log, pass } = await open(files, { segmentMaxBytes: 100 });
    const all = Array.from({ length: 10 }, (_, i) => append(log, `${i}`.padEnd(60)));
    expect(new Set(all.map(({ position }) => position.segment)).size).toBe(10);
    await pass(1);
    const outcomes = await Promise.allSettled(all.map(({ durable }) => durable));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(log.undurableBytes).toBe(0);
    expect(log.bytes).toBe(0);
    append(log, 'nobody looks');
    await pass(2000);
    await log.stop();
    expect(await files.readDirectory(directory)).toEqual([]);
  });
});

describe('a full disk', () => {
  test('pushes back until there is space and then works again without a restart', async () => {
    const files = new SimulatedFiles({ capacityBytes: 2000 });
    const { log, events, pass } = await open(files, {});
    const acknowledged: string[] = [];
    const first = log.position.stream;
    for (let i = 0; ; i++) {
      const { durable } = append(log, `${i}`.padEnd(300));
      const ok = await durable.then(
        () => true,
        () => false,
      );
      if (!ok) break;
      acknowledged.push(`${i}`);
    }
    expect(acknowledged.length).toBe(6);
    await pass(1);
    // The failed tail is cut, so the space is there for others.
    expect(files.usedBytes).toBe(log.bytes);
    files.capacityBytes = files.usedBytes;
    let tries = 0;
    files.fault = ({ name }) => {
      if (name === 'makeDirectory') tries++;
      return undefined;
    };
    for (let i = 0; i < 100; i++) {
      const error = await failure(append(log, 'refused').durable);
      expect(error.kind).toBe('unavailable');
      expect(error.retryAfterMs).toBeGreaterThan(0);
      expect(error.retryAfterMs).toBeLessThanOrEqual(1000);
      await pass(50);
    }
    expect(tries).toBeLessThanOrEqual(6);
    expect(tries).toBeGreaterThanOrEqual(4);
    expect((await texts(log, first, 1)).map((text) => text.trim())).toEqual(acknowledged);
    expect(await files.readDirectory(directory)).toEqual([{ name: first, directory: true }]);
    files.capacityBytes = 1_000_000;
    await pass(1000);
    const recovered = append(log, 'again');
    await recovered.durable;
    expect(await texts(log, recovered.position.stream, 1)).toEqual(['again']);
    expect(events.at(-1)?.kind).toBe('recovered');
    await log.stop();
  });

  test('at the start leaves what is there readable', async () => {
    const files = new SimulatedFiles();
    const before = await open(files);
    await append(before.log, 'old').durable;
    await before.log.stop();
    files.capacityBytes = files.usedBytes;
    const { log, pass } = await open(files, {}, 2);
    expect((await sealAndCollect(log)).map(({ bytes }) => utf8Decode(bytes))).toEqual(['old']);
    expect((await failure(append(log, 'new').durable)).kind).toBe('unavailable');
    await pass(1);
    const [old] = log.streams();
    await log.drop({ stream: old?.stream as string, segment: 1 });
    await pass(1000);
    await append(log, 'new').durable;
    await log.stop();
  });
});

describe('bounds', () => {
  test('bytes that wait for a sync are bounded', async () => {
    const scheduler = createScheduler(seededRandom(1));
    const files = new SimulatedFiles();
    const { log } = await open(files, { maxUndurableBytes: 1000 });
    const accepted = Array.from({ length: 3 }, () => log.append('a', new Uint8Array(300)));
    const error = await failure(log.append('a', new Uint8Array(300)).durable);
    expect(error).toMatchObject({ kind: 'unavailable', code: 'log-slow', retryAfterMs: 250 });
    expect(log.undurableBytes).toBe(3 * 313);
    await Promise.all(accepted.map(({ durable }) => durable));
    await log.append('a', new Uint8Array(300)).durable;
    expect(scheduler.parked).toBe(0);
    await log.stop();
  });

  test('a record that can never fit is refused for good', async () => {
    const { log } = await open(new SimulatedFiles(), { maxUndurableBytes: 1000 });
    const error = await failure(log.append('a', new Uint8Array(1000)).durable);
    expect(error.kind).toBe('limited');
    expect(error.retryAfterMs).toBeUndefined();
    await log.stop();
  });

  test('bytes on the disk are bounded, and room is made by drop', async () => {
    const { log } = await open(new SimulatedFiles(), { maxBytes: 2000, segmentMaxBytes: 1000 });
    for (let i = 0; i < 4; i++) await log.append('a', new Uint8Array(400)).durable;
    const error = await failure(log.append('a', new Uint8Array(400)).durable);
    expect(error).toMatchObject({ kind: 'unavailable', code: 'log-full', retryAfterMs: 1000 });
    await log.drop({ stream: log.position.stream, segment: 1 });
    await log.append('a', new Uint8Array(400)).durable;
    expect(log.bytes).toBeLessThanOrEqual(2000);
    await log.stop();
  });

  test('a stream that is a day old gets no further record', async () => {
    const { log, clock, pass } = await open(new SimulatedFiles());
    const first = append(log, 'first');
    await first.durable;
    await pass(24 * 60 * 60 * 1000 + 1);
    const second = append(log, 'second');
    await second.durable;
    expect(second.position.stream > first.position.stream).toBe(true);
    expect(second.position.segment).toBe(1);
    expect(clock.nowMs()).toBeGreaterThan(1_700_000_000_000);
    expect(log.streams().map((stream) => stream.open)).toEqual([false, true]);
    await log.drop(first.position);
    expect(log.streams().map((stream) => stream.stream)).toEqual([second.position.stream]);
    await log.stop();
  });
});

describe('what appends cost', () => {
  test('a record that comes alone is written and synced at once', async () => {
    const files = new SimulatedFiles();
    const { log } = await open(files);
    await append(log, 'first').durable;
    const [appends, syncs, all] = [files.count('append'), files.count('sync'), files.count()];
    await append(log, 'second').durable;
    expect(files.count('append') - appends).toBe(1);
    expect(files.count('sync') - syncs).toBe(1);
    expect(files.count() - all).toBe(2);
    await log.stop();
  });

  test('records of one turn share a write and a sync', async () => {
    const files = new SimulatedFiles();
    const { log } = await open(files);
    await append(log, 'first').durable;
    const all = files.count();
    await Promise.all(Array.from({ length: 100 }, (_, i) => append(log, `${i}`).durable));
    expect(files.count() - all).toBe(2);
    await log.stop();
  });

  test('records that arrive during a sync wait for each other, up to a size', async () => {
    const parked: (() => void)[] = [];
    let slow = false;
    const pause = ({ name }: FileOperation) =>
      slow && name === 'sync' ? new Promise<void>((resolve) => parked.push(resolve)) : Promise.resolve();
    const files = new SimulatedFiles({ pause });
    const { log, pass } = await open(files, { groupDelayMs: 5, groupMaxBytes: 1000 });
    await append(log, 'first').durable;
    const syncs = files.count('sync');
    const release = async () => {
      slow = false;
      for (const go of parked.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    };
    slow = true;
    const alone = append(log, 'alone');
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = append(log, 'waiting');
    await release();
    await alone.durable;
    expect(files.count('sync') - syncs).toBe(1);
    const joined = append(log, 'joined');
    await new Promise((resolve) => setImmediate(resolve));
    expect(files.count('sync') - syncs).toBe(1);
    await pass(5);
    await Promise.all([waiting.durable, joined.durable]);
    expect(files.count('sync') - syncs).toBe(2);
    slow = true;
    append(log, 'in flight');
    await new Promise((resolve) => setImmediate(resolve));
    append(log, 'waits');
    await release();
    const large = log.append('a', new Uint8Array(2000));
    await large.durable;
    expect(files.count('sync') - syncs).toBe(4);
    await log.stop();
  });

  test('the file of the next segment is there before it is needed', async () => {
    const files = new SimulatedFiles();
    const { log } = await open(files, { segmentMaxBytes: 1000 });
    const fill = async (bytes: number) => {
      await log.append('a', new Uint8Array(bytes)).durable;
      await new Promise((resolve) => setImmediate(resolve));
    };
    await fill(700);
    const creates = files.count('create');
    expect(creates).toBe(2);
    const all = files.count();
    await fill(300);
    // Write, sync, and closing the segment before.
    expect(files.count() - all).toBe(3);
    const { stream } = log.position;
    await log.stop();
    expect(await files.readDirectory(`${directory}/${stream}`)).toHaveLength(2);
  });
});

test('whatever single operation fails, what was acknowledged is there and the log goes on', async () => {
  const run = async (fails: number, code: 'EIO' | 'ENOSPC') => {
    const files = new SimulatedFiles({ fault: ({ number }) => (number === fails ? code : undefined) });
    const opened = await open(files, { segmentMaxBytes: 300, probeIntervalMs: 10 }).catch((error: unknown) => error);
    if (opened instanceof Error) {
      expect(isKind(opened, 'unavailable')).toBe(true);
      return 0;
    }
    const { log, pass } = opened as Awaited<ReturnType<typeof open>>;
    const acknowledged: string[] = [];
    for (let i = 0; i < 12; i++) {
      const { durable } = append(log, `${i}`.padEnd(80));
      await durable.then(
        () => acknowledged.push(`${i}`),
        () => pass(20),
      );
      if (i === 7) await log.drop({ stream: log.position.stream, segment: 0 });
    }
    // The one failure may come only now; then the next try goes through.
    let after = false;
    for (let tries = 0; tries < 2 && !after; tries++) {
      after = await append(log, 'after').durable.then(
        () => true,
        () => pass(20).then(() => false),
      );
    }
    expect(after).toBe(true);
    expect(acknowledged.length).toBeGreaterThanOrEqual(10);
    await log.stop();
    const operations = files.count();
    const next = await open(files.crash(seededRandom(fails)), {}, 2);
    const found = (await sealAndCollect(next.log)).map(({ bytes }) => utf8Decode(bytes).trim());
    expect(found.filter((text) => acknowledged.includes(text))).toEqual(acknowledged);
    await next.log.stop();
    return operations;
  };
  const operations = await run(0, 'EIO');
  expect(operations).toBeGreaterThan(40);
  for (let fails = 1; fails <= operations; fails++) {
    await run(fails, 'EIO');
    await run(fails, 'ENOSPC');
  }
});
