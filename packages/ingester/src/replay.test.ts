import { dataError, seededRandom, utf8Decode, utf8Encode, VivaceError } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { createLogger } from '@vivace/telemetry';
import type { LogRecord, WriteAheadLog } from '@vivace/wal';
import { expect, test } from 'vitest';
import { type ReplayTarget, replayStreams } from './replay.ts';

type Segments = Record<number, readonly [tenant: string, record: string][]>;

interface SetUp {
  streams: Record<string, Segments>;
  covered?: Record<string, number>;
  /** Thrown, one after the other, where a record of that text would be read, or with the text `seal` or `covered`. */
  failures?: Record<string, Error[]>;
}

/** Replays, and tells what the target saw. */
async function replay({ streams, covered = {}, failures = {} }: SetUp): Promise<string[]> {
  const scheduler = createScheduler(seededRandom(1));
  const events: string[] = [];
  const failAt = (text: string) => {
    const failure = failures[text]?.shift();
    if (failure) throw failure;
  };
  const log: Pick<WriteAheadLog, 'seal' | 'read'> = {
    seal: async (stream) => {
      failAt('seal');
      const segments = Object.entries(streams[stream] ?? {}).map(([segment, records]) => ({
        segment: Number(segment),
        bytes: 0,
        tenants: [...new Set(records.map(([tenant]) => tenant))],
      }));
      return { stream, segments, damage: [] };
    },
    read: async function* ({ stream, segment }): AsyncGenerator<LogRecord> {
      for (const [tenant, record] of streams[stream]?.[segment] ?? []) {
        failAt(record);
        yield { tenant, bytes: utf8Encode(record) };
      }
    },
  };
  const target: ReplayTarget = {
    log: log as WriteAheadLog,
    clock: scheduler.clock,
    random: seededRandom(1),
    logger: createLogger({ level: 'error', format: 'json', stream: { write: () => undefined } }),
    signal: new AbortController().signal,
    covered: async (tenant) => {
      failAt('covered');
      return covered[tenant] ?? 0;
    },
    room: async () => undefined,
    add: async ({ stream, segment }, tenant, bytes) => {
      events.push(`${stream}/${segment} ${tenant} ${utf8Decode(bytes)}`);
      return undefined;
    },
    endSegment: async (stream, last) => void events.push(last ? `end ${stream}` : `end of segment`),
    done: (stream) => void events.push(`done ${stream}`),
  };
  let ended = false;
  const done = replayStreams(Object.keys(streams), target).finally(() => {
    ended = true;
  });
  await scheduler.run(() => ended);
  await done;
  return events.filter((event) => event !== 'end of segment');
}

const unavailable = () => new VivaceError('unavailable', 'store-down', 'down');

test('streams are replayed oldest first, without what blocks cover', async () => {
  const events = await replay({
    streams: {
      t: { 1: [['a', 'one']] },
      s: {
        4: [
          ['a', 'two'],
          ['b', 'three'],
        ],
        5: [['a', 'four']],
        6: [['b', 'five']],
      },
    },
    covered: { a: 5 },
  });
  expect(events).toEqual(['s/4 b three', 's/6 b five', 'end s', 'done s', 'end t', 'done t']);
});

test('what fails is tried again, and a segment is read on where it was', async () => {
  const events = await replay({
    streams: {
      s: {
        1: [
          ['a', 'one'],
          ['a', 'two'],
          ['b', 'three'],
        ],
      },
    },
    failures: {
      seal: [unavailable()],
      covered: [unavailable(), unavailable()],
      two: [unavailable()],
      three: [unavailable()],
    },
  });
  expect(events).toEqual(['s/1 a one', 's/1 a two', 's/1 b three', 'end s', 'done s']);
});

test('damage is stepped over: what lies behind it was acknowledged too', async () => {
  const events = await replay({
    streams: {
      s: {
        1: [
          ['a', 'one'],
          ['a', 'two'],
        ],
        2: [['a', 'three']],
        3: [['a', 'four']],
      },
    },
    failures: { two: [dataError('log-segment', 'damaged')], three: [new VivaceError('not-found', 'gone', 'gone')] },
  });
  expect(events).toEqual(['s/1 a one', 's/3 a four', 'end s', 'done s']);
});
