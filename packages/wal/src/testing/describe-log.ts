import { equalBytes, isKind, isUuidV7, seededRandom, utf8Decode, utf8Encode } from '@vivace/kernel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { WriteAheadLog } from '../log.ts';
import { collectRecords, sealAndCollect } from './collect.ts';

/** Where a log under test keeps its bytes. */
export interface LogHarness {
  /** Opens the log as a new process would; an earlier log of the harness counts as dead. Segments of 64 KiB. */
  open(): Promise<WriteAheadLog>;
  close(): Promise<void>;
}

const never = new AbortController().signal;
const SEGMENT_BYTES = 64 * 1024;

/** What every backend of the log does alike. */
export function describeLog(name: string, createHarness: () => Promise<LogHarness>): void {
  describe(`a write-ahead log (${name})`, () => {
    let harness: LogHarness;
    let log: WriteAheadLog;

    beforeEach(async () => {
      harness = await createHarness();
      log = await harness.open();
    });

    afterEach(async () => {
      await log.stop();
      await harness.close();
    });

    const append = (tenant: string, text: string) => log.append(tenant, utf8Encode(text));
    const texts = async (segment: number, stream = log.position.stream, tenant?: string) =>
      (await collectRecords(log, { stream, segment }, tenant)).map(({ bytes }) => utf8Decode(bytes));
    const reopen = async () => {
      await log.stop();
      log = await harness.open();
    };
    const failure = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);

    test('begins with segment 1 of a stream of its own that holds nothing', () => {
      expect(isUuidV7(log.position.stream)).toBe(true);
      expect(log.position.segment).toBe(1);
      expect(log.streams()).toEqual([{ stream: log.position.stream, open: true, segments: [] }]);
      expect(log.bytes).toBe(0);
    });

    test('gives back what was appended, in order', async () => {
      const appended = ['one', '', 'three'].map((text) => append('a', text));
      await Promise.all(appended.map(({ durable }) => durable));
      expect(appended.map(({ position }) => position.segment)).toEqual([1, 1, 1]);
      expect(await texts(1)).toEqual(['one', '', 'three']);
      expect(log.undurableBytes).toBe(0);
    });

    test('gives back one tenant only when asked', async () => {
      append('a', '1');
      append('b', '2');
      append('a', '3');
      await append('__proto__', '4').durable;
      expect(await texts(1, undefined, 'a')).toEqual(['1', '3']);
      expect(await texts(1, undefined, '__proto__')).toEqual(['4']);
      expect(await texts(1, undefined, 'c')).toEqual([]);
      expect(log.streams()[0]?.segments[0]?.tenants.toSorted()).toEqual(['__proto__', 'a', 'b']);
    });

    test('takes records on shared memory, of any length', async () => {
      const lengths = [0, 1, 4095, 4096, 4097, 65_536, 300_000];
      const records = lengths.map((length) =>
        new Uint8Array(new SharedArrayBuffer(length + 8), 4, length).fill(length),
      );
      const appended = records.map((record) => log.append('a', record));
      await Promise.all(appended.map(({ durable }) => durable));
      const found: Uint8Array[] = [];
      for (const segment of new Set(appended.map(({ position }) => position.segment))) {
        for (const { bytes } of await collectRecords(log, { stream: log.position.stream, segment })) found.push(bytes);
      }
      expect(found.map(({ length }) => length)).toEqual(lengths);
      expect(found.every((bytes, i) => equalBytes(bytes, records[i] as Uint8Array))).toBe(true);
    });

    test('refuses what is no tenant id', () => {
      for (const tenant of ['', '..', 'a/b', 'ä']) expect(() => append(tenant, 'x')).toThrow('tenant ID');
    });

    test('ends a segment on rotate, but only one that holds a record', async () => {
      const { stream } = log.position;
      expect(log.rotate()).toEqual({ stream, segment: 0 });
      const first = append('a', 'first');
      expect(log.rotate()).toEqual({ stream, segment: 1 });
      expect(log.rotate()).toEqual({ stream, segment: 1 });
      const second = append('a', 'second');
      expect([first.position.segment, second.position.segment]).toEqual([1, 2]);
      await second.durable;
      expect(await texts(1)).toEqual(['first']);
      expect(await texts(2)).toEqual(['second']);
    });

    test('names the tenants of a segment before its records are durable', async () => {
      const { durable } = append('a', 'x');
      log.rotate();
      expect(log.streams()[0]?.segments).toMatchObject([{ segment: 1, tenants: ['a'] }]);
      await durable;
      expect(log.streams()[0]?.segments).toMatchObject([{ segment: 1, tenants: ['a'] }]);
    });

    test('begins a new segment when one is full', async () => {
      const record = new Uint8Array(SEGMENT_BYTES / 4);
      const appended = Array.from({ length: 9 }, () => log.append('a', record));
      await Promise.all(appended.map(({ durable }) => durable));
      expect(appended.map(({ position }) => position.segment)).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
      for (const { segment, bytes } of log.streams()[0]?.segments ?? []) {
        expect(segment).toBeLessThanOrEqual(3);
        expect(bytes).toBeLessThanOrEqual(SEGMENT_BYTES);
      }
    });

    test('keeps the order of many appends while it rotates', async () => {
      const appended: { text: string; tenant: string; segment: number; durable: Promise<void> }[] = [];
      const client = async (name: string) => {
        for (let i = 0; i < 50; i++) {
          const text = `${name}-${i}`.padEnd((i * 331) % 9000, '.');
          const tenant = `tenant-${i % 3}`;
          const { position, durable } = append(tenant, text);
          appended.push({ text, tenant, segment: position.segment, durable });
          if (i % 7 === 3) log.rotate();
          if (i % 3 === 0) await durable;
        }
      };
      await Promise.all(['a', 'b', 'c', 'd'].map(client));
      await Promise.all(appended.map(({ durable }) => durable));
      let last = 1;
      for (const { segment } of appended) {
        expect(segment).toBeGreaterThanOrEqual(last);
        last = segment;
      }
      for (let segment = 1; segment <= last; segment++) {
        for (const tenant of ['tenant-0', 'tenant-1', 'tenant-2']) {
          const expected = appended.filter((one) => one.segment === segment && one.tenant === tenant);
          expect(await texts(segment, undefined, tenant)).toEqual(expected.map(({ text }) => text));
        }
        expect(await texts(segment)).toHaveLength(appended.filter((one) => one.segment === segment).length);
      }
    });

    test('hands a stream over to the next process', async () => {
      const { stream } = log.position;
      append('a', '1');
      log.rotate();
      await append('b', '2').durable;
      await reopen();
      expect(log.position.stream).not.toBe(stream);
      expect(log.streams().find((one) => one.stream === stream)?.open).toBe(false);
      const sealed = await log.seal(stream, never);
      expect(sealed.damage).toEqual([]);
      expect(sealed.segments).toMatchObject([
        { segment: 1, tenants: ['a'] },
        { segment: 2, tenants: ['b'] },
      ]);
      expect(await log.seal(stream, never)).toEqual(sealed);
      expect(await texts(1, stream)).toEqual(['1']);
      expect(await texts(2, stream)).toEqual(['2']);
    });

    test('keeps the streams of several dead processes apart', async () => {
      for (const text of ['1', '2', '3']) {
        await append('a', text).durable;
        await reopen();
      }
      const found = await sealAndCollect(log);
      expect(found.map(({ bytes }) => utf8Decode(bytes)).toSorted()).toEqual(['1', '2', '3']);
    });

    test('reads a stream that is not sealed yet', async () => {
      const { stream } = log.position;
      await append('a', '1').durable;
      await reopen();
      expect(await texts(1, stream)).toEqual(['1']);
    });

    test('refuses to seal its own stream or one that it does not hold', async () => {
      expect(isKind(await failure(log.seal(log.position.stream, never)), 'conflict')).toBe(true);
      const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
      expect(isKind(await failure(log.seal(unknown, never)), 'not-found')).toBe(true);
    });

    test('drops segments, and a sealed stream with its last one', async () => {
      const { stream } = log.position;
      append('a', '1');
      log.rotate();
      append('a', '2');
      log.rotate();
      const { durable } = append('a', '3');
      await log.drop({ stream, segment: 2 });
      await durable;
      expect(log.streams()[0]?.segments.map(({ segment }) => segment)).toEqual([3]);
      expect(isKind(await failure(texts(2)), 'not-found')).toBe(true);
      expect(await texts(3)).toEqual(['3']);
      await reopen();
      expect(log.streams().map((one) => one.segments.length)).toEqual([1, 0]);
      await log.seal(stream, never);
      await log.drop({ stream, segment: 3 });
      await log.drop({ stream, segment: 3 });
      expect(log.streams().map((one) => one.stream)).toEqual([log.position.stream]);
      expect(log.bytes).toBe(0);
      await reopen();
      expect(log.streams().length).toBe(1);
    });

    test('refuses to drop the segment that appends go to', async () => {
      await append('a', '1').durable;
      expect(isKind(await failure(log.drop(log.position)), 'conflict')).toBe(true);
      const rotated = log.rotate();
      await log.drop(rotated);
      expect(log.bytes).toBe(0);
      await append('a', '2').durable;
      expect(await texts(2)).toEqual(['2']);
    });

    test('counts its bytes', async () => {
      // Random: a log may compress.
      await log.append('a', seededRandom(1).bytes(1000)).durable;
      const one = log.bytes;
      expect(one).toBeGreaterThanOrEqual(1000);
      expect(log.streams()[0]?.segments[0]?.bytes).toBe(one);
      await reopen();
      expect(log.bytes).toBe(one);
    });

    test('makes durable what was appended before it stops, and refuses what comes after', async () => {
      const { position, durable } = append('a', '1');
      await Promise.all([log.stop(), log.stop()]);
      await durable;
      expect(isKind(await failure(append('a', '2').durable), 'unavailable')).toBe(true);
      await reopen();
      expect(await texts(1, position.stream)).toEqual(['1']);
    });

    test('ends a read when its caller gives up', async () => {
      append('a', '1');
      const { position, durable } = append('a', '2');
      await durable;
      const controller = new AbortController();
      const found: string[] = [];
      const reading = (async () => {
        for await (const { bytes } of log.read(position, controller.signal)) {
          found.push(utf8Decode(bytes));
          controller.abort();
        }
      })();
      expect(await failure(reading)).toBe(controller.signal.reason);
      expect(found).toEqual(['1']);
    });
  });
}
