import { isKind, seededRandom, systemClock, utf8Decode, utf8Encode } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { createFaultyStore } from '@vivace/object-store/testing';
import { beforeEach, expect, test } from 'vitest';
import { leaseKey, segmentKey } from './bucket-layout.ts';
import { encodeSeal, encodeSegment } from './bucket-segment.ts';
import { readForeignStream, rereadForeignSegment } from './read-foreign-stream.ts';
import { BucketScene, never, type SceneLog } from './testing/bucket-scene.ts';

/* A stream of a process that does not answer is read beside it: what it has acknowledged, and nothing in the bucket changes. */

let scene: BucketScene;
let owner: SceneLog;
let stream: string;

beforeEach(async () => {
  scene = new BucketScene();
  owner = await scene.open();
  stream = owner.log.position.stream;
});

/** A record in a segment of its own, acknowledged. */
async function put(text: string, tenant = 'a'): Promise<void> {
  await scene.finished(owner.append(text, tenant).durable);
  owner.log.rotate();
}

interface Read {
  texts: string[];
  damage: string[];
  through: number;
}

async function read(above = 0, { tenant = 'a', store = scene.memory }: { tenant?: string; store?: ObjectStore } = {}) {
  const found: Read = { texts: [], damage: [], through: above };
  const segments = readForeignStream(stream, tenant, above, {
    store,
    clock: systemClock,
    callTimeoutMs: 10_000,
    signal: never,
  });
  for (;;) {
    const { done, value } = await segments.next();
    if (done === true) return { ...found, through: value };
    found.texts.push(...value.records.map((bytes) => utf8Decode(bytes)));
    if (value.damage !== undefined) found.damage.push(`${value.segment}: ${value.damage}`);
  }
}

/** Does something once, before the first call that `matches`. */
function before(matches: (operation: string, key: string) => boolean, act: () => Promise<unknown>): ObjectStore {
  let done = false;
  const store = scene.memory;
  const now = async (operation: string, key: string) => {
    if (done || !matches(operation, key)) return;
    done = true;
    await act();
  };
  return {
    ...store,
    get: async (key, options) => now('get', key).then(() => store.get(key, options)),
    list: async (prefix, options) => now('list', prefix).then(() => store.list(prefix, options)),
  };
}

const isSegmentRead = (operation: string, key: string) => operation === 'get' && key.startsWith('wal/');

test('what a process has acknowledged is read while it goes on appending, and each segment once', async () => {
  for (const text of ['one', 'two']) await put(text);
  const before = (await scene.memory.list('')).objects.map(({ key, etag }) => `${key} ${etag}`);
  const first = await read();
  expect(first).toEqual({ texts: ['one', 'two'], damage: [], through: 2 });
  expect((await scene.memory.list('')).objects.map(({ key, etag }) => `${key} ${etag}`)).toEqual(before);
  await put('three');
  expect(await read(first.through)).toEqual({ texts: ['three'], damage: [], through: 3 });
  expect(await read(3)).toEqual({ texts: [], damage: [], through: 3 });
  await put('four');
  expect(owner.log.position.stream).toBe(stream);
});

test('a small segment is one request, of a large one the footer and the section of the tenant are read', async () => {
  const random = seededRandom(1);
  const noise = Array.from({ length: 200_000 }, () => random.u32().toString(36)).join('');
  const segments = [{ a: noise, b: 'small' }, { b: 'next' }];
  for (const [i, texts] of segments.entries()) {
    const at = { stream, segment: i + 1 };
    const records = Object.entries(texts).map(([tenant, text]) => [tenant, [utf8Encode(text)]] as const);
    await scene.memory.put(segmentKey(at), await encodeSegment(at, new Uint8Array(16), new Map(records)), {});
  }
  const calls: string[] = [];
  const store = createFaultyStore(scene.memory, {
    clock: systemClock,
    plan: ({ operation, key }) => {
      calls.push(`${operation} ${key.slice(0, 4)}`);
      return undefined;
    },
  });
  expect((await read(0, { tenant: 'b', store })).texts).toEqual(['small', 'next']);
  expect(calls).toEqual(['list wal/', 'get wal/', 'get wal/']);
  calls.length = 0;
  expect((await read(0, { tenant: 'a', store })).texts).toEqual([noise]);
  expect(calls).toEqual(['list wal/', 'get wal/', 'get wal/', 'get wal/']);
  expect((await read(0, { tenant: 'c', store })).through).toBe(2);
});

test('a number that is missing is the end, as long as it is missing', async () => {
  for (const text of ['one', 'two', 'three']) await put(text);
  const key = segmentKey({ stream, segment: 2 });
  const { bytes } = await scene.memory.get(key);
  await scene.memory.delete(key);
  expect(await read()).toEqual({ texts: ['one'], damage: [], through: 1 });
  await scene.memory.put(key, [bytes], {});
  expect(await read(1)).toEqual({ texts: ['two', 'three'], damage: [], through: 3 });
});

test('a seal is the end, whatever lands behind it', async () => {
  for (const text of ['one', 'two']) await put(text);
  const other = await scene.open();
  await scene.passed(100_000);
  owner.plan = () => ({ kind: 'slow', delayMs: 600_000 });
  await scene.passed(100_000);
  await scene.finished(other.log.look(never));
  expect(await scene.takenOver(other, stream)).toEqual(['one', 'two']);
  const { bytes } = await scene.memory.get(segmentKey({ stream, segment: 2 }));
  await scene.memory.put(segmentKey({ stream, segment: 4 }), [bytes], {});
  expect(await read()).toEqual({ texts: ['one', 'two'], damage: [], through: 2 });
});

test('what is dropped is stepped over, before the list, after it, and while segments are read', async () => {
  for (const text of ['one', 'two', 'three', 'four']) await put(text);
  await scene.finished(owner.log.drop({ stream, segment: 1 }));
  expect(await read()).toEqual({ texts: ['two', 'three', 'four'], damage: [], through: 4 });
  const drop = (segment: number) => () => scene.finished(owner.log.drop({ stream, segment }));
  expect(await read(0, { store: before(isSegmentRead, drop(2)) })).toEqual({
    texts: ['three', 'four'],
    damage: [],
    through: 4,
  });
  const isLeaseRead = (operation: string, key: string) => operation === 'get' && key === leaseKey(stream);
  expect((await read(0, { store: before(isLeaseRead, drop(3)) })).texts).toEqual(['four']);
});

test('a seal in a hole that the owner has made is not the end', async () => {
  for (const text of ['one', 'two', 'three']) await put(text);
  await scene.finished(owner.log.drop({ stream, segment: 1 }));
  const at = { stream, segment: 1 };
  await scene.memory.put(segmentKey(at), [encodeSeal(at, new Uint8Array(16))], {});
  expect(await read()).toEqual({ texts: ['two', 'three'], damage: [], through: 3 });
});

test('a stream that is closed has nothing that blocks have not', async () => {
  await put('one');
  await put('two');
  await scene.finished(owner.log.stop());
  const close = async () => {
    await scene.memory.delete(leaseKey(stream));
    await scene.memory.delete(segmentKey({ stream, segment: 1 }));
  };
  expect(await read(0, { store: before(isSegmentRead, close) })).toEqual({ texts: [], damage: [], through: 0 });
});

test('damage is told and stepped over, and read again it may be right', async () => {
  for (const text of ['one', 'two', 'three']) await put(text);
  const key = segmentKey({ stream, segment: 2 });
  const { bytes } = await scene.memory.get(key);
  const wrong = bytes.slice();
  wrong[0]! ^= 1;
  await scene.memory.put(key, [wrong], {});
  const found = await read();
  expect(found.texts).toEqual(['one', 'three']);
  expect(found.damage).toEqual(['2: the checksum of a section is wrong, of tenant a']);
  const options = { store: scene.memory, clock: systemClock, callTimeoutMs: 1000, signal: never };
  expect((await rereadForeignSegment(stream, 'a', 2, options)).damage).toContain('checksum');
  await scene.memory.put(key, [bytes], {});
  expect((await rereadForeignSegment(stream, 'a', 2, options)).records).toEqual([utf8Encode('two')]);
  await scene.memory.delete(key);
  expect((await rereadForeignSegment(stream, 'a', 2, options)).damage).toBe('the segment is gone');
  await scene.finished(owner.log.drop({ stream, segment: 2 }));
  const dropped = await rereadForeignSegment(stream, 'a', 2, options);
  expect(dropped).toEqual({ segment: 2, records: [], bytes: 0, damage: undefined });
});

test('a segment that is lost, and a lease that is damaged, are told', async () => {
  for (const text of ['one', 'two', 'three']) await put(text);
  const lose = () => scene.memory.delete(segmentKey({ stream, segment: 2 }));
  const store = before(isSegmentRead, lose);
  expect(await read(0, { store })).toEqual({
    texts: ['one', 'three'],
    damage: ['2: the segment is gone'],
    through: 3,
  });
  await scene.finished(owner.log.drop({ stream, segment: 2 }));
  await scene.memory.put(leaseKey(stream), [utf8Encode('no lease')], {});
  expect(await read()).toEqual({
    texts: ['three'],
    damage: ['0: the lease of the stream cannot be read'],
    through: 3,
  });
});

test('a store that fails or stalls is a failure of the reading', async () => {
  await put('one');
  const failing = createFaultyStore(scene.memory, {
    clock: systemClock,
    plan: ({ operation }) => (operation === 'get' ? { kind: 'slow', delayMs: 60_000 } : undefined),
  });
  const segments = readForeignStream(stream, 'a', 0, {
    store: failing,
    clock: systemClock,
    callTimeoutMs: 20,
    signal: never,
  });
  await expect(segments.next()).rejects.toSatisfy((error) => isKind(error, 'unavailable'));
});
