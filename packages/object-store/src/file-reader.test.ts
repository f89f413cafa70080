import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isKind, utf8Decode, utf8Encode } from '@vivace/kernel';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFileReader } from './file-reader.ts';
import { createFileStore, type FileStore } from './file-store.ts';

let directory = '';
let store: FileStore;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'vivace-reader-'));
  store = await createFileStore({ directory });
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const put = (key: string, text: string) => store.put(key, [utf8Encode(text)]);

test('a reader beside a writer sees what was put, replaced and deleted, with the same ETags', async () => {
  const reader = await openFileReader({ directory });
  await put('a/one', 'first');
  const { etag } = await put('a/one', 'second');
  await put('a/two', 'gone soon');
  await store.delete('a/two');
  const found = await reader.get('a/one');
  expect(utf8Decode(found.bytes)).toBe('second');
  expect(found.etag).toBe(etag);
  expect((await reader.get('a/one', { ifNoneMatch: etag })).notModified).toBe(true);
  expect(utf8Decode((await reader.get('a/one', { range: { offset: 1, length: 3 } })).bytes)).toBe('eco');
  expect((await reader.list('a/')).objects).toEqual((await store.list('a/')).objects);
  expect(await reader.head('a/one')).toMatchObject({ size: 6, etag });
});

test('lists have the pages that the store itself gives', async () => {
  const reader = await openFileReader({ directory });
  for (let i = 0; i < 7; i++) await put(`k/${i}`, `${i}`);
  const first = await reader.list('k/', { limit: 3 });
  expect(first.objects.map(({ key }) => key)).toEqual(['k/0', 'k/1', 'k/2']);
  const second = await reader.list('k/', { limit: 9, after: first.next as string });
  expect(second.objects.map(({ key }) => key)).toEqual(['k/3', 'k/4', 'k/5', 'k/6']);
  expect(second.next).toBeUndefined();
});

test('what is missing is not found, and nothing can be changed or is made', async () => {
  const reader = await openFileReader({ directory });
  await put('a', '1');
  const before = readdirSync(directory, { recursive: true });
  const failure = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);
  expect(isKind(await failure(reader.get('b')), 'not-found')).toBe(true);
  expect(isKind(await failure(reader.head('b')), 'not-found')).toBe(true);
  expect(isKind(await failure(reader.get('a', { range: { offset: 0, length: 9 } })), 'invalid')).toBe(true);
  expect(await failure(reader.put('b', []))).toMatchObject({ code: 'store-read-only' });
  expect(await failure(reader.delete('a'))).toMatchObject({ code: 'store-read-only' });
  expect(readdirSync(directory, { recursive: true })).toEqual(before);
  const missing = path.join(directory, 'missing');
  expect(await failure(openFileReader({ directory: missing }))).toMatchObject({ code: 'store-unusable' });
});
