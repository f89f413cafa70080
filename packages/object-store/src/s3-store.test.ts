import { type AddressInfo, createServer } from 'node:net';
import { type Clock, systemClock } from '@vivace/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createRetryingStore } from './retrying-store.ts';
import { createS3Store, type S3Store, type S3StoreOptions } from './s3-store.ts';
import { type S3Fault, type S3Server, startS3Server } from './testing/s3-server.ts';
import { startS3Target } from './testing/s3-target.ts';

describeObjectStore('the S3 store', async () => {
  const target = await startS3Target();
  const store = await createS3Store(target);
  return {
    store,
    close: async () => {
      await store.close();
      await target.close();
    },
  };
});

describeObjectStore('the S3 store in a folder of its bucket', async () => {
  const target = await startS3Target();
  const whole = await createS3Store(target);
  await whole.put('other/a', [new Uint8Array(1)]);
  const store = await createS3Store({ ...target, prefix: '/deep/er/' });
  return {
    store,
    close: async () => {
      await Promise.all([whole.close(), store.close()]);
      await target.close();
    },
  };
});

describe('the S3 store and what may go wrong', () => {
  let server: S3Server;
  const stores: S3Store[] = [];
  beforeAll(async () => {
    server = await startS3Server({ buckets: ['b'] });
  });
  afterEach(() => {
    server.fault = () => undefined;
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    await server.close();
  });

  const open = async (options: Partial<S3StoreOptions> = {}): Promise<S3Store> => {
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    const store = await createS3Store({ bucket: 'b', endpoint, region, credentials, ...options });
    stores.push(store);
    return store;
  };
  const body = [new TextEncoder().encode('hello')];
  const always = (fault: S3Fault) => {
    server.fault = () => fault;
  };

  test('an upload that was completed without an answer says so when it is asked again', async () => {
    const store = await open();
    const upload = await store.beginUpload('upload/lost');
    await upload.add(1, body);
    always({ kind: 'done-no-answer' });
    await expect(upload.complete()).rejects.toMatchObject({ kind: 'unavailable' });
    server.fault = () => undefined;
    const { etag } = await upload.complete();
    expect(await store.head('upload/lost')).toMatchObject({ etag, size: 5 });
  });

  test('a piece whose answer was lost is added again, and is there once', async () => {
    const store = createRetryingStore(await open(), { baseDelayMs: 1 });
    let uploads = 0;
    server.fault = ({ method }) => (method === 'PUT' && ++uploads === 1 ? { kind: 'done-no-answer' } : undefined);
    const upload = await store.beginUpload('upload/again');
    await upload.add(1, body);
    await upload.complete();
    expect([uploads, (await store.head('upload/again')).size]).toEqual([2, 5]);
  });

  test('an upload that was given up by somebody else is gone', async () => {
    const store = await open();
    const upload = await store.beginUpload('upload/gone');
    await upload.add(1, body);
    expect(await store.endUploads('upload/gone', { minAgeMs: -1000 })).toBe(1);
    await expect(upload.add(2, body)).rejects.toMatchObject({ kind: 'conflict', code: 'upload-gone' });
    await expect(upload.complete()).rejects.toMatchObject({ kind: 'conflict', code: 'upload-gone' });
    await upload.abort();
  });

  const answers: [status: number, code: string, expected: object][] = [
    [409, 'ConditionalRequestConflict', { kind: 'conflict', code: 'conditional-conflict' }],
    [412, 'PreconditionFailed', { kind: 'conflict', code: 'precondition-failed' }],
    [429, 'TooManyRequests', { kind: 'limited', code: 'store-slow-down', retryAfterMs: 200 }],
    [503, 'SlowDown', { kind: 'limited', code: 'store-slow-down', retryAfterMs: 200 }],
    [503, 'ServiceUnavailable', { kind: 'unavailable', code: 'store-failed' }],
    [500, 'InternalError', { kind: 'unavailable', code: 'store-failed' }],
    [504, 'GatewayTimeout', { kind: 'unavailable', code: 'store-failed' }],
    [400, 'RequestTimeout', { kind: 'unavailable', code: 'store-failed' }],
    [403, 'AccessDenied', { kind: 'unauthorized', code: 'access-denied' }],
    [400, 'ExpiredToken', { kind: 'unauthorized', code: 'credentials-rejected' }],
    [501, 'NotImplemented', { kind: 'invalid', code: 'store-unsupported' }],
    [301, 'PermanentRedirect', { kind: 'invalid', code: 'bucket-region' }],
    [400, 'EntityTooLarge', { kind: 'invalid', code: 'store-refused' }],
    [404, 'NoSuchBucket', { kind: 'unavailable', code: 'bucket-missing' }],
  ];
  for (const [status, code, expected] of answers) {
    test(`${status} ${code} is ${JSON.stringify(expected)}, and nothing is sent twice`, async () => {
      const store = await open();
      always({ kind: 'status', status, code });
      const before = server.requests;
      await expect(store.put('a', body)).rejects.toMatchObject({ name: 'VivaceError', ...expected });
      await expect(store.get('a')).rejects.toMatchObject(expected);
      await expect(store.list('')).rejects.toMatchObject(expected);
      expect(server.requests - before).toBe(3);
    });
  }

  test('a status that a HEAD answers without a body is told as well as can be', async () => {
    const store = await open();
    for (const [status, expected] of [
      [403, { kind: 'unauthorized', code: 'access-denied' }],
      [503, { kind: 'unavailable' }],
      [404, { kind: 'not-found' }],
    ] as const) {
      always({ kind: 'status', status, code: 'Whatever' });
      await expect(store.head('a')).rejects.toMatchObject(expected);
    }
  });

  test('Retry-After of the store is passed on', async () => {
    const store = await open();
    always({ kind: 'status', status: 429, code: 'SlowDown', retryAfterSeconds: 7 });
    await expect(store.get('a')).rejects.toMatchObject({ kind: 'limited', retryAfterMs: 7000 });
  });

  test('a reset connection is unavailable, also when the put was done', async () => {
    const store = await open();
    always({ kind: 'reset' });
    await expect(store.put('reset', body)).rejects.toMatchObject({ kind: 'unavailable', code: 'store-unreachable' });
    always({ kind: 'done-no-answer' });
    await expect(store.put('done', body, { only: 'absent' })).rejects.toMatchObject({ kind: 'unavailable' });
    server.fault = () => undefined;
    await expect(store.get('reset')).rejects.toMatchObject({ kind: 'not-found' });
    expect((await store.get('done')).size).toBe(5);
  });

  test('an answer cut short is an error, never fewer bytes', async () => {
    const store = await open();
    await store.put('cut', [new Uint8Array(200_000)]);
    always({ kind: 'cut' });
    await expect(store.get('cut')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.get('cut', { range: { offset: 10, length: 100_000 } })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await expect(store.list('')).rejects.toMatchObject({ name: 'VivaceError' });
    server.fault = () => undefined;
    expect((await store.get('cut')).bytes.length).toBe(200_000);
  });

  test('a store that does not answer in time is unavailable', async () => {
    const store = await open({ requestTimeoutMs: 60 });
    always({ kind: 'delay', delayMs: 400 });
    await expect(store.put('slow', body)).rejects.toMatchObject({ kind: 'unavailable', code: 'store-timeout' });
    await expect(store.get('slow')).rejects.toMatchObject({ kind: 'unavailable', code: 'store-timeout' });
  });

  test('an abort ends a call under way with the reason of its signal', async () => {
    const store = await open();
    always({ kind: 'delay', delayMs: 2000 });
    const controller = new AbortController();
    const startMs = performance.now();
    const calls = [
      store.get('a', { signal: controller.signal }),
      store.put('a', body, { signal: controller.signal }),
      store.list('', { signal: controller.signal }),
    ].map((call) => expect(call).rejects.toMatchObject({ kind: 'canceled' }));
    setTimeout(() => controller.abort(), 50);
    await Promise.all(calls);
    const timeout = store.get('a', { signal: AbortSignal.timeout(50) });
    await expect(timeout).rejects.toMatchObject({ kind: 'deadline' });
    expect(performance.now() - startMs).toBeLessThan(1500);
  });

  test('nobody listening is unavailable', async () => {
    const store = await open({ endpoint: 'http://127.0.0.1:9' });
    await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable', code: 'store-unreachable' });
  });

  test('wrong settings say what to correct', async () => {
    const { accessKeyId, secretAccessKey } = server;
    for (const [options, expected] of [
      [{ bucket: 'missing' }, { code: 'bucket-missing', message: expect.stringContaining('create it') }],
      [
        { credentials: { accessKeyId, secretAccessKey: 'wrong' } },
        { kind: 'unauthorized', code: 'credentials-rejected', message: expect.stringContaining('secret key') },
      ],
      [
        { credentials: { accessKeyId: 'nobody', secretAccessKey } },
        { kind: 'unauthorized', code: 'credentials-rejected', message: expect.stringContaining('access key') },
      ],
      [{ region: 'eu-north-9' }, { kind: 'invalid', code: 'bucket-region' }],
    ] as const) {
      const store = await open(options);
      await expect(store.put('a', body)).rejects.toMatchObject(expected);
      const error: unknown = await store.put('a', body).catch((failure: unknown) => failure);
      expect(String(error)).not.toContain(secretAccessKey);
    }
  });

  test('an object larger than allowed is refused before it is read', async () => {
    const store = await open({ maxGetBytes: 1000 });
    await store.put('big', [new Uint8Array(1001)]);
    await expect(store.get('big')).rejects.toMatchObject({ kind: 'data', code: 'store-answer' });
    expect((await store.get('big', { range: { offset: 1, length: 1000 } })).bytes.length).toBe(1000);
    // The connections are given back: more calls than there are sockets go through.
    for (let i = 0; i < 80; i++) await expect(store.get('big')).rejects.toMatchObject({ kind: 'data' });
    await store.head('big');
  });

  test('a bucket with keys of others lists ours alone, and pages past theirs', async () => {
    const bucket = server.bucket('b');
    for (const key of ['o/a b', 'o/ä', 'o/<&>', 'o//x', 'o/ok']) bucket?.put(key, Buffer.from('x'), undefined);
    const store = await open();
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await store.list('o/', { limit: 1, ...(after === undefined ? {} : { after }) });
      found.push(...page.objects.map(({ key }) => key));
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual(['o/ok']);
  });

  test('one connection serves many calls one after another', async () => {
    const store = await open({ maxSockets: 1 });
    await store.put('keep', [new Uint8Array(3_000_000)]);
    const all = Array.from({ length: 30 }, (_, i) => store.get('keep', { range: { offset: i, length: 1 } }));
    expect((await Promise.all(all)).length).toBe(30);
  });

  test('the timeout is of the clock given', async () => {
    let fire: (() => void) | undefined;
    const clock: Clock = {
      ...systemClock,
      after: (ms, callback) => {
        expect(ms).toBe(12_345);
        fire = callback;
        return () => undefined;
      },
    };
    const store = await open({ clock, requestTimeoutMs: 12_345 });
    always({ kind: 'delay', delayMs: 2000 });
    const read = store.get('a');
    setTimeout(() => fire?.(), 30);
    await expect(read).rejects.toMatchObject({ code: 'store-timeout' });
  });
});

test('nothing of a put is sent any more once it was refused, though the store has not read it', async () => {
  const closed = Promise.withResolvers<void>();
  const refusing = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('close', () => closed.resolve());
    socket.once('data', () => {
      socket.pause();
      socket.write('HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n');
      // What comes from now on is seen only where the other side goes on with it.
      setTimeout(() => socket.resume(), 100).unref();
    });
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const { port } = refusing.address() as AddressInfo;
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const store = await createS3Store({ bucket: 'b', endpoint: `http://127.0.0.1:${port}`, region: 'r', credentials });
  const bytes = new Uint8Array(64 * 1024 * 1024);
  await expect(store.put('k', [bytes])).rejects.toMatchObject({ kind: expect.stringMatching('limited|unavailable') });
  // The connection is given up, not kept for the rest of the body.
  await closed.promise;
  await store.close();
  await new Promise((resolve) => refusing.close(resolve));
});

test('the SDK is loaded by the first S3 store and not before', async () => {
  const { execFileSync } = await import('node:child_process');
  const program = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const count = () => loaded.filter((url) => url.includes('@aws-sdk')).length;
    const { createMemoryStore, createS3Store } = await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    await createMemoryStore().put('a', []);
    const before = count();
    await createS3Store({ bucket: 'b', region: 'us-east-1' });
    console.log(before + ' then ' + (count() > 0));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(output.trim()).toBe('0 then true');
});
