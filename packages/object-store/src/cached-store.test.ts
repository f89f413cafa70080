import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { bytesToHex, type Clock, type Files, seededRandom, systemClock } from '@vivace/kernel';
import { SimulatedFiles } from '@vivace/kernel/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cacheObjectName, decodeCacheFile, encodeCacheFile, parseCacheFileName } from './cache-file.ts';
import { createCachedStore } from './cached-store.ts';
import { describeObjectStore } from './conformance.ts';
import { createCountingStore } from './counting-store.ts';
import { DiskCache, type DiskCacheOptions } from './disk-cache.ts';
import { createMemoryStore } from './memory-store.ts';

describeObjectStore('a store with a cache on a disk', async () => {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-cache-'));
  const cache = await DiskCache.open({ directory, maxBytes: 1 << 20 });
  return {
    store: createCachedStore(createMemoryStore(), { cache, isImmutable: () => true }),
    close: async () => {
      await cache.close();
      await fs.rm(directory, { recursive: true });
    },
  };
});

const KEY = 'blocks/a';
const BYTES = new Uint8Array(100_000).map((_, i) => (i * 31) % 251);
const MIB = 1 << 20;

async function open(options: Partial<DiskCacheOptions> & { files: Files }) {
  const inner = createCountingStore(createMemoryStore());
  const cache = await DiskCache.open({ directory: '/cache', maxBytes: MIB, ...options });
  const store = createCachedStore(inner, { cache, isImmutable: (key) => key.startsWith('blocks/') });
  await inner.put(KEY, [BYTES]);
  await inner.put('root', [BYTES]);
  const read = async (offset: number, length: number) => (await store.get(KEY, { range: { offset, length } })).bytes;
  return { inner, cache, store, read };
}

function part(offset: number, length: number): string {
  return bytesToHex(BYTES.subarray(offset, offset + length));
}

/** Every file of the cache. */
async function filesIn(files: Files, directory = '/cache'): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await files.readDirectory(directory)) {
    const file = path.posix.join(directory, entry.name);
    if (entry.directory) found.push(...(await filesIn(files, file)));
    else found.push(file);
  }
  return found;
}

describe('a store with a cache on a disk', () => {
  test('asks the store once for a range, for what is in it, and for an object', async () => {
    const { inner, cache, store, read } = await open({ files: new SimulatedFiles() });
    expect(bytesToHex(await read(1000, 5000))).toBe(part(1000, 5000));
    await cache.settle();
    expect(bytesToHex(await read(1000, 5000))).toBe(part(1000, 5000));
    expect(bytesToHex(await read(1200, 100))).toBe(part(1200, 100));
    expect(inner.counts.ranges).toBe(1);
    await read(5999, 2);
    expect(inner.counts.ranges).toBe(2);
    const first = await store.get(KEY);
    await cache.settle();
    expect(await store.get(KEY)).toEqual(first);
    expect(bytesToHex(await read(90_000, 10_000))).toBe(part(90_000, 10_000));
    expect([inner.counts.gets, inner.counts.ranges]).toEqual([1, 2]);
    await expect(read(90_000, 10_001)).rejects.toMatchObject({ code: 'range-not-satisfiable' });
    expect(cache.usage).toMatchObject({ hits: 4, misses: 4, files: 3 });
  });

  test('keeps nothing of what may change, nor of conditional reads', async () => {
    const { inner, cache, store } = await open({ files: new SimulatedFiles() });
    for (let i = 0; i < 3; i++) await store.get('root');
    const { etag } = await store.head(KEY);
    for (let i = 0; i < 3; i++) await store.get(KEY, { ifNoneMatch: etag });
    await cache.settle();
    expect([inner.counts.gets, cache.usage.files]).toEqual([6, 0]);
  });

  test('gives bytes of their own: what a reader does to them nobody else sees', async () => {
    const { cache, read } = await open({ files: new SimulatedFiles() });
    (await read(0, 100)).fill(0);
    await cache.settle();
    (await read(0, 100)).fill(0);
    expect(bytesToHex(await read(0, 100))).toBe(part(0, 100));
  });

  test('uses again what an earlier process left', async () => {
    const files = new SimulatedFiles();
    const before = await open({ files });
    await before.read(0, 1000);
    await before.store.get(KEY);
    await before.cache.close();
    const after = await open({ files });
    expect(after.cache.usage).toMatchObject({ files: 2, bytes: before.cache.usage.bytes });
    expect(bytesToHex(await after.read(0, 1000))).toBe(part(0, 1000));
    expect((await after.store.get(KEY)).size).toBe(BYTES.length);
    expect([after.inner.counts.gets, after.inner.counts.ranges]).toEqual([0, 0]);
  });
});

describe('the bytes of a cache on a disk', () => {
  test('stay within the bound on the disk, and what was used last stays', async () => {
    const files = new SimulatedFiles();
    const { inner, cache, read } = await open({ files, maxBytes: 40 * 4096 });
    for (let i = 0; i < 100; i++) {
      await read(0, 500);
      await read(i * 900, 600);
      await cache.settle();
      const all = await filesIn(files);
      expect(all.length * 4096).toBeLessThanOrEqual(40 * 4096);
      expect(cache.usage).toMatchObject({ files: all.length, bytes: all.length * 4096 });
    }
    // The range that every round reads was read of the store once.
    expect(inner.counts.ranges).toBe(1 + 100);
    expect(cache.usage.evictions).toBe(101 - 40);
  });

  test('are made to fit a bound that was lowered', async () => {
    const files = new SimulatedFiles();
    const before = await open({ files });
    for (let i = 0; i < 50; i++) await before.read(i * 1000, 900);
    await before.cache.close();
    const after = await open({ files, maxBytes: 10 * 4096 });
    expect(after.cache.usage.files).toBeLessThanOrEqual(10);
    expect(await filesIn(files)).toHaveLength(after.cache.usage.files);
  });

  test('do not grow for one object that is large, or for a disk that is slow', async () => {
    const held = Promise.withResolvers<void>();
    const { cache, store, inner, read } = await open({
      maxBytes: 1 << 30,
      files: new SimulatedFiles({ pause: async ({ name }) => (name === 'create' ? held.promise : undefined) }),
    });
    await inner.put('blocks/large', [new Uint8Array(9 * MIB)]);
    await inner.put('blocks/other', [new Uint8Array(9 * MIB)]);
    await store.get('blocks/large');
    await store.get('blocks/other');
    expect(cache.usage.skipped).toBe(1);
    expect(bytesToHex(await read(0, 10))).toBe(part(0, 10));
    held.resolve();
    await cache.settle();
    expect(cache.usage.files).toBe(2);
    const small = await open({ files: new SimulatedFiles(), maxBytes: 8 * 99_999 });
    await small.store.get(KEY);
    await small.cache.settle();
    expect(small.cache.usage.files).toBe(0);
  });
});

describe('a disk that fails', () => {
  test('full: everything is answered, nothing is kept for a minute, and then again', async () => {
    const files = new SimulatedFiles({ capacityBytes: 20_000 });
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const problems: string[] = [];
    const { cache, read } = await open({ files, clock, onProblem: ({ message }) => problems.push(message) });
    for (let i = 0; i < 10; i++) {
      expect(bytesToHex(await read(i * 6000, 6000))).toBe(part(i * 6000, 6000));
      await cache.settle();
    }
    expect(problems).toEqual([expect.stringContaining('ENOSPC')]);
    expect(cache.usage).toMatchObject({ failures: 1, files: 3 });
    expect(await filesIn(files)).toHaveLength(3);
    files.capacityBytes = MIB;
    nowMs = 60_001;
    await read(90_000, 6000);
    await cache.settle();
    expect(cache.usage.files).toBe(4);
  });

  test('every call of it: every answer comes from the store', async () => {
    const files = new SimulatedFiles();
    const { cache, read } = await open({ files });
    await read(0, 1000);
    await cache.settle();
    files.fault = () => 'EIO';
    for (let i = 0; i < 5; i++) expect(bytesToHex(await read(i * 100, 900))).toBe(part(i * 100, 900));
    await cache.settle();
  });

  test('where the power was cut at any moment: answers are right, and the bound holds', async () => {
    let damaged = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      let files = new SimulatedFiles();
      for (let life = 0; life < 3; life++) {
        const { cache, read } = await open({ files, maxBytes: 20 * 4096 });
        for (let i = 0; i < 15; i++) {
          const offset = (random.u32() % 30) * 3000;
          expect(bytesToHex(await read(offset, 2500)), `seed ${seed}`).toBe(part(offset, 2500));
          // Not waited for: writes are under way when the power goes.
          if (random.u32() % 3 === 0) await cache.settle();
        }
        damaged += cache.usage.damaged;
        files = files.crash(random);
      }
      const { cache } = await open({ files, maxBytes: 20 * 4096 });
      expect(cache.usage.bytes).toBeLessThanOrEqual(20 * 4096);
    }
    // The disk did lose what was not synced.
    expect(damaged).toBeGreaterThan(50);
  });
});

describe('a file of the cache', () => {
  const object = {
    key: KEY,
    size: 1000,
    etag: '"é"',
    lastModifiedMs: 1,
    storeTimeMs: 2,
    notModified: false,
    bytes: BYTES.slice(5, 905),
  };
  const range = { offset: 5, length: 900 };
  const file = encodeCacheFile(object, range);
  const name = {
    object: cacheObjectName(KEY),
    offset: 5,
    length: 900,
    isWhole: false,
    fileBytes: file.length,
  };

  test('is what it was, and nothing where a byte is another, is missing or is added', () => {
    expect(decodeCacheFile(file, name, KEY)).toEqual(object);
    for (let i = 0; i < file.length; i++) {
      const other = file.slice();
      other[i]! ^= 1 << (i % 8);
      expect(decodeCacheFile(other, name, KEY), `byte ${i}`).toBeUndefined();
      expect(decodeCacheFile(file.slice(0, i), name, KEY), `${i} bytes`).toBeUndefined();
      expect(decodeCacheFile(file.slice(0, i), { ...name, fileBytes: i }, KEY), `named ${i} bytes`).toBeUndefined();
    }
    expect(decodeCacheFile(new Uint8Array([...file, 0]), name, KEY)).toBeUndefined();
  });

  test('is of its key and its range alone', () => {
    expect(decodeCacheFile(file, name, 'blocks/b')).toBeUndefined();
    expect(decodeCacheFile(file, { ...name, offset: 6 }, KEY)).toBeUndefined();
    expect(decodeCacheFile(file, { ...name, length: 899 }, KEY)).toBeUndefined();
    expect(decodeCacheFile(file, { ...name, isWhole: true }, KEY)).toBeUndefined();
  });

  test('has a name that says no more than it may have', () => {
    fc.assert(fc.property(fc.string(), (text) => parseCacheFileName(text) === undefined));
    const hex = cacheObjectName(KEY);
    expect(parseCacheFileName(`${hex}.5-900w.1000`)).toEqual({ ...name, isWhole: true, fileBytes: 1000 });
    for (const bad of [`${hex}.5-900.901`, `${hex}.5-900.90000`, `${hex}.9999999999999999-900.1000`]) {
      expect(parseCacheFileName(bad)).toBeUndefined();
    }
  });
});
