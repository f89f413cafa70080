import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fraction, seededRandom, systemClock } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { createFaultyStore, type Fault } from './faulty-store.ts';
import { createFileStore } from './file-store.ts';
import { createMemoryStore } from './memory-store.ts';
import type { ObjectStore } from './object-store.ts';
import { createRetryingStore } from './retrying-store.ts';
import { createS3Store, type S3StoreOptions } from './s3-store.ts';
import { probeStore } from './start-probe.ts';
import { type S3ServerOptions, startS3Server } from './testing/s3-server.ts';

async function withS3(
  serverOptions: S3ServerOptions,
  options: Partial<S3StoreOptions>,
  use: (store: ObjectStore) => Promise<void>,
): Promise<void> {
  const server = await startS3Server({ buckets: ['b'], ...serverOptions });
  const { endpoint, accessKeyId, secretAccessKey } = server;
  const store = await createS3Store({
    bucket: 'b',
    endpoint,
    credentials: { accessKeyId, secretAccessKey },
    ...options,
  });
  try {
    await use(store);
  } finally {
    await store.close();
    await server.close();
  }
}

describe('the start probe', () => {
  test('passes a memory store, a directory and S3, and leaves nothing', async () => {
    const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-probe-'));
    const inDirectory = await createFileStore({ directory });
    const probe = async (store: ObjectStore) => {
      await probeStore(store);
      await probeStore(createRetryingStore(store), { random: seededRandom(1), signal: new AbortController().signal });
      expect((await store.list('')).objects).toEqual([]);
    };
    await probe(createMemoryStore());
    await probe(inDirectory);
    await withS3({}, {}, probe);
    expect(await fs.readdir(directory)).toEqual(['.tmp']);
    await inDirectory.close();
    await fs.rm(directory, { recursive: true });
  });

  test('refuses an S3 store that ignores conditions, and cleans up', async () => {
    await withS3({ ignoreConditions: true }, {}, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({
        kind: 'invalid',
        code: 'probe-put-if-absent',
        message: expect.stringMatching(/16 winners of 16\); upgrade the store to one with conditional writes/),
      });
      expect((await store.list('')).objects).toEqual([]);
    });
  });

  test('refuses a bucket that hides missing keys, with the right to grant', async () => {
    await withS3({ hideMissing: true }, {}, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({
        code: 'probe-missing-key',
        message: expect.stringContaining('grant s3:ListBucket'),
      });
      expect((await store.list('')).objects).toEqual([]);
    });
  });

  test('says of a bucket that is missing, and of wrong credentials, what to correct', async () => {
    await withS3({}, { bucket: 'missing' }, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({ code: 'bucket-missing' });
    });
    const wrong = { accessKeyId: 'vivace-test', secretAccessKey: 'wrong' };
    await withS3({}, { credentials: wrong }, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({ code: 'credentials-rejected' });
    });
    const denied: S3ServerOptions = { fault: () => ({ kind: 'status', status: 403, code: 'AccessDenied' }) };
    await withS3(denied, {}, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({
        code: 'access-denied',
        message: expect.stringContaining('grant s3:GetObject'),
      });
    });
  });

  test('refuses a store without If-Match', async () => {
    const store = createMemoryStore();
    const blind: ObjectStore = {
      ...store,
      put: (key, body, options) => store.put(key, body, typeof options?.only === 'object' ? {} : options),
    };
    await expect(probeStore(blind)).rejects.toMatchObject({
      code: 'probe-compare-and-set',
      message: expect.stringContaining('a stale ETag succeeded'),
    });
  });

  test('refuses a store where If-Match makes a missing object', async () => {
    const store = createMemoryStore();
    const blind: ObjectStore = {
      ...store,
      put: async (key, body, options) => {
        const missing = await store.head(key).then(
          () => false,
          () => true,
        );
        return store.put(key, body, missing && typeof options?.only === 'object' ? {} : options);
      },
    };
    await expect(probeStore(blind)).rejects.toMatchObject({
      code: 'probe-compare-and-set',
      message: expect.stringContaining('made a missing object'),
    });
  });

  test('refuses a store whose reads or lists lag behind', async () => {
    const store = createMemoryStore();
    const first = new Map<string, Awaited<ReturnType<ObjectStore['get']>>>();
    const stale: ObjectStore = {
      ...store,
      put: async (key, body, options) => {
        const result = await store.put(key, body, options);
        if (!first.has(key)) first.set(key, await store.get(key));
        return result;
      },
      get: async (key, options) => first.get(key) ?? store.get(key, options),
    };
    await expect(probeStore(stale)).rejects.toMatchObject({ code: 'probe-read-after-write' });

    const lagging: ObjectStore = { ...store, list: async () => ({ objects: [], next: undefined, storeTimeMs: 0 }) };
    await expect(probeStore(lagging)).rejects.toMatchObject({ code: 'probe-list-after-write' });
  });

  test('passes a store that fails a third of its calls, and refuses one that breaks a promise as well', async () => {
    const failing = (inner: ObjectStore, seed: number): ObjectStore => {
      const random = seededRandom(seed);
      const plan = (): Fault | undefined => {
        const dice = fraction(random);
        if (dice < 0.1) return { kind: 'refused', answer: '503' };
        if (dice < 0.2) return { kind: 'done', answer: 'reset' };
        return dice < 0.3 ? { kind: 'refused', answer: '429' } : undefined;
      };
      return createRetryingStore(createFaultyStore(inner, { plan }), { baseDelayMs: 0, maxAttempts: 30 });
    };
    for (let seed = 1; seed <= 40; seed++) {
      const store = createMemoryStore();
      await probeStore(failing(store, seed));
      expect((await store.list('')).objects).toEqual([]);

      const blind: ObjectStore = { ...store, put: (key, body) => store.put(key, body) };
      await expect(probeStore(failing(blind, seed))).rejects.toMatchObject({ code: 'probe-put-if-absent' });
      const loose: ObjectStore = {
        ...store,
        put: (key, body, options) => store.put(key, body, typeof options?.only === 'object' ? {} : options),
      };
      await expect(probeStore(failing(loose, seed))).rejects.toMatchObject({ code: 'probe-compare-and-set' });
    }
  });

  test('removes what a probe left that was killed, and nothing that is younger than an hour', async () => {
    let nowMs = 0;
    const store = createMemoryStore({ clock: { ...systemClock, nowMs: () => nowMs } });
    await store.put('probe/0011223344556677/race', [new Uint8Array(1)]);
    nowMs = 1000;
    await store.put('probe/8899aabbccddeeff/swap', [new Uint8Array(1)]);
    nowMs = 3_600_001;
    await probeStore(store);
    expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['probe/8899aabbccddeeff/swap']);
  });

  test('passes on that the store is down', async () => {
    const fault: S3ServerOptions = { fault: () => ({ kind: 'reset' }) };
    await withS3(fault, {}, async (store) => {
      await expect(probeStore(store)).rejects.toMatchObject({ kind: 'unavailable' });
    });
  });
});
