import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Files, systemFiles } from '@vivace/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createFileStore } from './file-store.ts';

describeObjectStore('the file-system store', async () => {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-store-'));
  const store = await createFileStore({ directory });
  return {
    store,
    close: async () => {
      await store.close();
      await fs.rm(directory, { recursive: true });
    },
  };
});

let directory: string;
beforeEach(async () => {
  directory = await fs.mkdtemp(path.join(os.tmpdir(), 'vivace-store-'));
});
afterEach(async () => {
  await fs.rm(directory, { recursive: true });
});

const bytes = (text: string) => [new TextEncoder().encode(text)];
const large = (fill: number) => [new Uint8Array(300_000).fill(fill)];

/** The system's files with the operations counted, and some of them failing. */
function watched(fail: Partial<Record<keyof Files, string>> = {}) {
  const calls: string[] = [];
  const files = new Proxy(systemFiles, {
    get:
      (target, name: keyof Files) =>
      (...args: never[]) => {
        calls.push(name);
        const code = fail[name];
        if (code) return Promise.reject(Object.assign(new Error(`simulated ${code}`), { code }));
        return (target[name] as (...rest: never[]) => unknown)(...args);
      },
  });
  return { files, calls, fail };
}

test('an object is a plain file at the path of its key', async () => {
  const store = await createFileStore({ directory });
  await store.put('tenants/a/blocks/x.parquet', bytes('PAR1'));
  expect(await fs.readFile(path.join(directory, 'tenants/a/blocks/x.parquet'), 'utf8')).toBe('PAR1');
  await store.close();
});

test('everything is there after a restart, with the same ETags', async () => {
  const first = await createFileStore({ directory });
  const small = await first.put('a/small', bytes('small'));
  const big = await first.put('a/big', large(1));
  await first.close();
  const second = await createFileStore({ directory });
  expect((await second.head('a/small')).etag).toBe(small.etag);
  expect((await second.get('a/big', { range: { offset: 5, length: 1 } })).etag).toBe(big.etag);
  expect((await second.list('')).objects.map(({ etag }) => etag)).toEqual([big.etag, small.etag]);
  await second.put('a/small', bytes('next'), { only: { etag: small.etag } });
  await second.close();
});

test('temporaries of a killed process are removed at the next start, and are no objects', async () => {
  await fs.mkdir(path.join(directory, '.tmp'), { recursive: true });
  await fs.writeFile(path.join(directory, '.tmp', '7^a^b'), 'half');
  await fs.writeFile(path.join(directory, '.tmp', '8^'), 'half');
  const store = await createFileStore({ directory });
  expect(await fs.readdir(path.join(directory, '.tmp'))).toEqual([]);
  expect((await store.list('')).objects).toEqual([]);
  await store.put('a/b', bytes('whole'));
  expect(await fs.readdir(path.join(directory, '.tmp'))).toEqual([]);
  await store.close();
});

test('files that are no objects are passed over', async () => {
  await fs.writeFile(path.join(directory, 'with space'), '');
  await fs.mkdir(path.join(directory, 'emp ty'));
  const store = await createFileStore({ directory });
  await store.put('a', bytes('x'));
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a']);
  await store.close();
});

test('a delete removes the directories it empties', async () => {
  const store = await createFileStore({ directory });
  await store.put('a/b/c/d', bytes('x'));
  await store.put('a/e', bytes('x'));
  await store.delete('a/b/c/d');
  expect(await fs.readdir(path.join(directory, 'a'))).toEqual(['e']);
  await store.close();
});

test('a ranged read of a known object is one system call, and opens no more files than allowed', async () => {
  const { files, calls } = watched();
  const store = await createFileStore({ directory, files, maxOpenFiles: 2 });
  for (const key of ['a', 'b', 'c']) await store.put(key, large(1));
  calls.length = 0;
  const read = (key: string) => store.get(key, { range: { offset: 1000, length: 10 } });
  await read('a');
  expect(calls).toEqual(['stat', 'open']);
  await read('a');
  await read('b');
  expect(calls).toEqual(['stat', 'open', 'stat', 'open']);
  await read('c');
  await read('a');
  expect(calls.filter((call) => call === 'open').length).toBe(4);
  await store.close();
});

test('many readers of more objects than stay open all get their bytes', async () => {
  const store = await createFileStore({ directory, maxOpenFiles: 3 });
  const keys = Array.from({ length: 20 }, (_, i) => `many/${i}`);
  for (const key of keys) await store.put(key, bytes(key));
  const reads = Array.from({ length: 400 }, (_, i) => keys[(i * 7) % 20] as string).map(async (key) =>
    expect(Buffer.from((await store.get(key)).bytes).toString()).toBe(key),
  );
  await Promise.all(reads);
  const descriptors = await fs.readdir('/proc/self/fd').catch(() => []);
  const open = await Promise.all(descriptors.map((fd) => fs.readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  expect(open.filter((file) => file.startsWith(directory)).length).toBeLessThanOrEqual(3);
  await store.close();
});

test('a list reads a small file once, and large ones never', async () => {
  const before = await createFileStore({ directory });
  for (let i = 0; i < 5; i++) await before.put(`s/${i}`, bytes(`${i}`));
  await before.put('s/large', large(1));
  await before.close();
  const { files, calls } = watched();
  const store = await createFileStore({ directory, files });
  for (let i = 0; i < 3; i++) await store.list('s/');
  expect(calls.filter((call) => call === 'readFile').length).toBe(5);
  expect(calls).not.toContain('open');
  await store.close();
});

test('a page of a list reads only the directories it needs', async () => {
  const { files, calls } = watched();
  const store = await createFileStore({ directory, files });
  for (const day of ['1', '2', '3', '4']) await store.put(`days/${day}/a`, bytes('x'));
  calls.length = 0;
  await store.list('days/', { after: 'days/2/a', limit: 1 });
  // `days`, then 2 (whose rest may follow), 3, and 4 to know that more follows.
  expect(calls.filter((call) => call === 'readDirectory').length).toBe(4);
  await store.close();
});

const translations: [operation: keyof Files, code: string, expected: object][] = [
  ['create', 'ENOSPC', { kind: 'unavailable', code: 'store-full' }],
  ['create', 'EDQUOT', { kind: 'unavailable', code: 'store-full' }],
  ['create', 'EROFS', { kind: 'unauthorized', code: 'access-denied' }],
  ['link', 'EACCES', { kind: 'unauthorized', code: 'access-denied' }],
  ['link', 'ENOSPC', { kind: 'unavailable', code: 'store-full' }],
  ['syncDirectory', 'EIO', { kind: 'unavailable', code: 'store-failed' }],
  ['create', 'EMFILE', { kind: 'unavailable', code: 'store-failed' }],
  ['link', 'ENOENT', { kind: 'unavailable', code: 'store-failed' }],
];
for (const [operation, code, expected] of translations) {
  test(`${code} in ${operation} of a put is ${JSON.stringify(expected)}, and the store goes on after it`, async () => {
    const { files, fail } = watched();
    const store = await createFileStore({ directory, files });
    await store.put('there', bytes('x'));
    fail[operation] = code;
    await expect(store.put('a/b', bytes('x'), { only: 'absent' })).rejects.toMatchObject(expected);
    expect(Buffer.from((await store.get('there')).bytes).toString()).toBe('x');
    delete fail[operation];
    await store.put('a/b', bytes('y'));
    expect(Buffer.from((await store.get('a/b')).bytes).toString()).toBe('y');
    expect(await fs.readdir(path.join(directory, '.tmp'))).toEqual([]);
    await store.close();
  });
}

test('system errors of reads are translated', async () => {
  const { files, fail } = watched();
  const store = await createFileStore({ directory, files });
  await store.put('a', bytes('x'));
  for (const [code, expected] of [
    ['ENOENT', { kind: 'not-found', code: 'object-not-found' }],
    ['ENOTDIR', { kind: 'not-found', code: 'object-not-found' }],
    ['EACCES', { kind: 'unauthorized', code: 'access-denied' }],
    ['EIO', { kind: 'unavailable', code: 'store-failed' }],
  ] as const) {
    fail.stat = code;
    await expect(store.get('a')).rejects.toMatchObject(expected);
    await expect(store.head('a')).rejects.toMatchObject(expected);
  }
  fail.readDirectory = 'EIO';
  await expect(store.list('')).rejects.toMatchObject({ kind: 'unavailable' });
  fail.unlink = 'EACCES';
  await expect(store.delete('a')).rejects.toMatchObject({ kind: 'unauthorized' });
  await store.close();
});

test('an object whose directory could not be synced is shown only once it is durable', async () => {
  const { files, fail } = watched();
  const store = await createFileStore({ directory, files });
  await store.put('a/x', bytes('old'));
  fail.syncDirectory = 'EIO';
  await expect(store.put('a/x', bytes('new'))).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(store.get('a/x')).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(store.list('a/')).rejects.toMatchObject({ kind: 'unavailable' });
  delete fail.syncDirectory;
  expect(Buffer.from((await store.get('a/x')).bytes).toString()).toBe('new');
  expect(await fs.readdir(path.join(directory, '.tmp'))).toEqual([]);
  await store.close();
});

test('a key under an object, and an object over keys, are refused', async () => {
  const store = await createFileStore({ directory });
  await store.put('a', bytes('x'));
  await store.put('b/c', bytes('x'));
  await expect(store.put('a/b', bytes('x'))).rejects.toMatchObject({ kind: 'invalid', code: 'key-invalid' });
  await expect(store.put('b', bytes('x'))).rejects.toMatchObject({ kind: 'invalid', code: 'key-invalid' });
  await expect(store.get('a/b')).rejects.toMatchObject({ kind: 'not-found' });
  await expect(store.get('b')).rejects.toMatchObject({ kind: 'not-found' });
  await store.delete('b');
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a', 'b/c']);
  await store.close();
});

test('a directory that cannot be made is an error that says so', async () => {
  await fs.writeFile(path.join(directory, 'file'), '');
  await expect(createFileStore({ directory: path.join(directory, 'file/store') })).rejects.toMatchObject({
    name: 'VivaceError',
  });
  const { files } = watched({ makeDirectory: 'EACCES' });
  await expect(createFileStore({ directory, files })).rejects.toMatchObject({ kind: 'unauthorized' });
});
