import { seededRandom, utf8Decode, utf8Encode } from '@vivace/kernel';
import { createScheduler, SimulatedFiles } from '@vivace/kernel/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openDiskLog } from './disk-log.ts';
import type { DiskLogEvent } from './disk-log-options.ts';
import { decodeSegmentHeader, encodeSegmentHeader, HEADER_BYTES, segmentFileName } from './layout.ts';
import type { LogRecord } from './log.ts';
import { collectRecords } from './testing.ts';

const directory = '/wal';
const never = new AbortController().signal;
const TENANT = 'tenant';
/** Head, tenant and text of the records below. */
const RECORD_BYTES = 12 + TENANT.length + 20;
const text = (name: string) => name.padEnd(20, '.');

let processes = 0;

async function open(files: SimulatedFiles, blockBytes = 1) {
  const events: DiskLogEvent[] = [];
  const random = seededRandom(++processes);
  const { clock } = createScheduler(random, { startMs: 1_700_000_000_000 + processes });
  const log = await openDiskLog({
    files,
    clock,
    random,
    directory,
    limits: { blockBytes },
    onEvent: (event) => events.push(event),
  });
  return { log, events };
}

/** A stream of three segments with three records each, left by a process that is gone. */
async function written(blockBytes = 1) {
  const files = new SimulatedFiles();
  const { log } = await open(files, blockBytes);
  const { stream } = log.position;
  for (const segment of [1, 2, 3]) {
    for (const name of ['a', 'b', 'c']) log.append(TENANT, utf8Encode(text(`${segment}${name}`)));
    log.rotate();
  }
  await log.stop();
  const file = (segment: number) => `${directory}/${stream}/${segmentFileName(segment)}`;
  return { files, stream, file };
}

async function replace(files: SimulatedFiles, file: string, bytes: Uint8Array): Promise<void> {
  await files.unlink(file).catch(() => undefined);
  await (await files.create(file)).append([bytes]);
}

async function change(files: SimulatedFiles, file: string, edit: (bytes: Uint8Array) => Uint8Array | undefined) {
  const bytes = await files.readFile(file);
  await replace(files, file, edit(bytes) ?? bytes);
}

/** What a new process makes of the stream: the names of its records by segment, and the damage it reports. */
async function found(files: SimulatedFiles, stream: string) {
  const { log, events } = await open(files);
  const { segments, damage } = await log.seal(stream, never);
  const records: Record<number, string[]> = {};
  for (const { segment } of segments) {
    const read = await collectRecords(log, { stream, segment });
    records[segment] = read.map(({ bytes }) => utf8Decode(bytes).replaceAll('.', ''));
  }
  await log.stop();
  return { records, damage, events };
}

const whole = { 1: ['1a', '1b', '1c'], 2: ['2a', '2b', '2c'], 3: ['3a', '3b', '3c'] };

const flip = (at: number) => (bytes: Uint8Array) => {
  bytes[at] = (bytes[at] as number) ^ 1;
  return bytes;
};

describe('groups that are filled up to blocks of the disk', () => {
  const BLOCK_BYTES = 256;
  /** Of a segment with three records. */
  const groupAt = BLOCK_BYTES;

  test('are read as if nothing filled them', async () => {
    const { files, stream, file } = await written(BLOCK_BYTES);
    for (const segment of [1, 2, 3]) expect((await files.stat(file(segment))).size % BLOCK_BYTES).toBe(0);
    expect(await found(files, stream)).toEqual({ records: whole, damage: [], events: [] });
  });

  test('are cut when they are torn, also where what fills them was written', async () => {
    const { files, stream, file } = await written(BLOCK_BYTES);
    const last = groupAt + 2 * RECORD_BYTES;
    await change(files, file(3), flip(last + 30));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 3: ['3a', '3b'] });
    expect(damage).toMatchObject([{ segment: 3, offset: last, cut: true }]);
    expect((await files.stat(file(3))).size).toBe(last);
  });

  test('are cut in what fills them without a loss', async () => {
    const { files, stream, file } = await written(BLOCK_BYTES);
    await change(files, file(3), (bytes) => bytes.subarray(0, bytes.length - 5));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual(whole);
    expect(damage).toMatchObject([{ segment: 3, offset: groupAt + 3 * RECORD_BYTES, cut: true }]);
  });

  test('are no reason to take a segment without records for the last that was written', async () => {
    const { files, stream, file } = await written(BLOCK_BYTES);
    await change(files, file(3), flip(groupAt + 2 * RECORD_BYTES + 30));
    const header = encodeSegmentHeader(stream, 4, new Uint8Array(16), { blockBytes: BLOCK_BYTES });
    await replace(files, file(4), header);
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 3: ['3a', '3b'], 4: [] });
    expect(damage).toMatchObject([{ segment: 3, cut: true }]);
  });
});

describe('a torn tail', () => {
  test('is cut, reported, and gone for good', async () => {
    const { files, stream, file } = await written();
    await change(files, file(3), (bytes) => bytes.subarray(0, bytes.length - 5));
    const { records, damage, events } = await found(files, stream);
    expect(records).toEqual({ ...whole, 3: ['3a', '3b'] });
    const offset = HEADER_BYTES + 2 * RECORD_BYTES;
    const reason = 'the segment ends in a record';
    expect(damage).toEqual([{ segment: 3, offset, bytes: RECORD_BYTES - 5, cut: true, reason }]);
    expect(events).toEqual([{ kind: 'damage', stream, damage: damage[0] }]);
    expect((await files.stat(file(3))).size).toBe(offset);
    const again = await found(files.crash(seededRandom(1)), stream);
    expect(again.records).toEqual(records);
    expect(again.damage).toEqual([]);
  });

  test('of zeros is cut like any other', async () => {
    const { files, stream, file } = await written();
    await change(files, file(3), (bytes) => new Uint8Array([...bytes, ...new Uint8Array(100)]));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual(whole);
    expect(damage).toMatchObject([{ segment: 3, bytes: 100, cut: true }]);
  });

  test('is not looked for in a later file without records', async () => {
    const { files, stream, file } = await written();
    const header = encodeSegmentHeader(stream, 4, new Uint8Array(16));
    await replace(files, file(4), header);
    await change(files, file(3), (bytes) => bytes.subarray(0, bytes.length - 1));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 3: ['3a', '3b'], 4: [] });
    expect(damage).toMatchObject([{ segment: 3, cut: true }]);
  });
});

describe('damage elsewhere', () => {
  test('in the middle of a segment ends that segment and no other, and nothing is cut', async () => {
    const { files, stream, file } = await written();
    await change(files, file(2), flip(HEADER_BYTES + RECORD_BYTES + 30));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 2: ['2a'] });
    const offset = HEADER_BYTES + RECORD_BYTES;
    const reason = 'the checksum of a record is wrong';
    expect(damage).toEqual([{ segment: 2, offset, bytes: 2 * RECORD_BYTES, cut: false, reason }]);
    expect((await files.stat(file(2))).size).toBe(HEADER_BYTES + 3 * RECORD_BYTES);
  });

  test('before a right record of the last segment is no torn tail and is not cut', async () => {
    const { files, stream, file } = await written();
    await change(files, file(3), flip(HEADER_BYTES + RECORD_BYTES + 30));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 3: ['3a'] });
    expect(damage).toMatchObject([{ segment: 3, offset: HEADER_BYTES + RECORD_BYTES, cut: false }]);
    expect((await files.stat(file(3))).size).toBe(HEADER_BYTES + 3 * RECORD_BYTES);
  });

  test('reading a damaged segment that is not sealed gives what is right and then a data error', async () => {
    const { files, stream, file } = await written();
    await change(files, file(2), flip(HEADER_BYTES + RECORD_BYTES + 30));
    const { log } = await open(files);
    const read: LogRecord[] = [];
    const reading = (async () => {
      for await (const record of log.read({ stream, segment: 2 }, never)) read.push(record);
    })();
    await expect(reading).rejects.toMatchObject({ kind: 'data' });
    expect(read.length).toBe(1);
    await log.stop();
  });

  test('after sealing is noticed by a read', async () => {
    const { files, stream, file } = await written();
    const { log } = await open(files);
    await log.seal(stream, never);
    await change(files, file(2), flip(HEADER_BYTES + 30));
    await expect(collectRecords(log, { stream, segment: 2 })).rejects.toMatchObject({ kind: 'data' });
    await log.stop();
  });

  test('garbage, empty, unknown, misplaced and missing segments are reported and skipped', async () => {
    const { files, stream, file } = await written();
    await replace(files, file(4), seededRandom(1).bytes(500));
    await replace(files, file(5), new Uint8Array(0));
    await replace(files, file(6), await files.readFile(file(1)));
    const version = await files.readFile(file(1));
    version[8] = 2;
    await replace(files, file(7), version);
    await replace(files, file(9), encodeSegmentHeader(stream, 9, new Uint8Array(16)).subarray(0, 40));
    const { records, damage } = await found(files, stream);
    expect(records).toEqual({ ...whole, 4: [], 5: [], 6: [], 7: [], 9: [] });
    expect(damage.map(({ segment, reason }) => `${segment}: ${reason}`)).toEqual([
      '4: the file does not begin as a log segment does',
      '5: the segment is empty',
      `6: the file is segment 1 of stream ${stream}`,
      '7: the segment has a version that this program does not know: 2',
      '8: segments are missing before segment 9: 1',
      '9: the segment ends in its header: 40 bytes',
    ]);
    expect(damage.every(({ cut }) => !cut)).toBe(true);
    expect((await files.stat(file(7))).size).toBe(version.length);
  });

  test('files that are not the log’s are reported and stay, also when the stream is dropped', async () => {
    const { files, stream, file } = await written();
    const strange = [`${directory}/notes.txt`, `${directory}/${stream}/1.seg`, `${file(1)}.bak`];
    for (const name of strange) await replace(files, name, utf8Encode('x'));
    const { log, events } = await open(files);
    const unknown = events.map((event) => (event.kind === 'unknown-file' ? event.file : event.kind));
    expect(unknown.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(strange.toSorted((a, b) => (a < b ? -1 : 1)));
    await log.seal(stream, never);
    await log.drop({ stream, segment: 3 });
    expect(log.streams().length).toBe(1);
    for (const name of strange) expect(await files.readFile(name)).toEqual(utf8Encode('x'));
    await log.stop();
  });

  test('a disk that cannot be read makes sealing unavailable, and it works later', async () => {
    const { files, stream } = await written();
    const { log } = await open(files);
    files.fault = ({ name }) => (name === 'read' ? 'EIO' : undefined);
    await expect(log.seal(stream, never)).rejects.toMatchObject({ kind: 'unavailable' });
    files.fault = undefined;
    expect((await log.seal(stream, never)).damage).toEqual([]);
    await log.stop();
  });

  test('a seal that its caller gives up does not fail the one who waits for the same', async () => {
    const { files, stream } = await written();
    const { log } = await open(files);
    const controller = new AbortController();
    const given = log.seal(stream, controller.signal);
    const waiting = log.seal(stream, never);
    controller.abort();
    await expect(given).rejects.toBe(controller.signal.reason);
    expect((await waiting).segments.length).toBe(3);
    await log.stop();
  });
});

describe('any cut or changed byte', () => {
  const names = Object.values(whole).flat();

  /** Records may be missing only at the end of the changed segment, and then damage is reported; never is one wrong. */
  async function check(segment: number, edit: (bytes: Uint8Array) => Uint8Array): Promise<void> {
    const { files, stream, file } = await written();
    await change(files, file(segment), edit);
    const { records, damage } = await found(files, stream);
    const read = Object.values(records).flat();
    const mine = whole[segment as 1 | 2 | 3];
    const left = records[segment] ?? [];
    expect(left).toEqual(mine.slice(0, left.length));
    expect(read).toEqual(names.filter((name) => !mine.includes(name) || left.includes(name)));
    if (left.length < 3) {
      const bytes = damage.filter((one) => one.segment === segment);
      expect(
        bytes.length === 1 || left.length * RECORD_BYTES + HEADER_BYTES === (await files.stat(file(segment))).size,
      ).toBe(true);
    }
    const again = await found(files, stream);
    expect(again.records).toEqual(records);
  }

  const length = HEADER_BYTES + 3 * RECORD_BYTES;

  test('every cut', async () => {
    for (let at = 0; at <= length; at++) await check(at % 2 === 0 ? 2 : 3, (bytes) => bytes.subarray(0, at));
  });

  test('every flipped byte', async () => {
    for (let at = 0; at < length; at++) {
      await check(at % 2 === 0 ? 3 : 2, (bytes) => {
        bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
        return bytes;
      });
    }
  });

  test('random bytes over a random range', async () => {
    const edits = fc.record({
      segment: fc.integer({ min: 1, max: 3 }),
      at: fc.integer({ min: 0, max: length - 1 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    });
    await fc.assert(
      fc.asyncProperty(edits, ({ segment, at, bytes }) =>
        check(segment, (original) => {
          original.set(bytes.subarray(0, length - at), at);
          return original;
        }),
      ),
      { numRuns: 300 },
    );
  });
});

test('a header is what it was encoded from, and any changed byte is a data error', () => {
  const stream = '01890a5d-ac96-774b-bcce-b302099a8057';
  const nonce = Uint8Array.from({ length: 16 }, (_, i) => i);
  const header = encodeSegmentHeader(stream, 2 ** 40 + 7, nonce);
  expect(decodeSegmentHeader(header)).toMatchObject({ stream, segment: 2 ** 40 + 7, nonce });
  for (let at = 0; at < HEADER_BYTES; at++) {
    const changed = header.slice();
    changed[at] = (changed[at] as number) ^ 0x10;
    expect(() => decodeSegmentHeader(changed)).toThrow(expect.objectContaining({ kind: 'data' }));
  }
});
