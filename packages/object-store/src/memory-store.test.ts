import { expect, test } from 'vitest';
import { describeObjectStore } from './conformance.ts';
import { createMemoryStore } from './memory-store.ts';
import { createPrefixedStore } from './prefixed-store.ts';

describeObjectStore('the memory store', async () => ({ store: createMemoryStore() }));

describeObjectStore('a prefixed store', async () => ({
  store: createPrefixedStore(createMemoryStore(), '/some/folder/'),
}));

test('a put takes effect at the call, before its promise resolves', async () => {
  const store = createMemoryStore();
  const put = store.put('a', [Uint8Array.of(1)]);
  const read = store.get('a');
  expect([(await read).bytes, (await put).etag]).toEqual([Uint8Array.of(1), (await read).etag]);
});

test('objects and answers carry the time of the clock given', async () => {
  let now = 1_000;
  const clock = {
    nowMs: () => now,
    monotonicMs: () => now,
    sleep: async () => undefined,
    after: () => () => undefined,
  };
  const store = createMemoryStore({ clock });
  expect(await store.put('a', [])).toMatchObject({ storeTimeMs: 1_000 });
  now = 5_000;
  expect(await store.head('a')).toMatchObject({ lastModifiedMs: 1_000, storeTimeMs: 5_000 });
});

test('a prefixed store touches nothing outside its folder', async () => {
  const whole = createMemoryStore();
  const store = createPrefixedStore(whole, 'in/side');
  await whole.put('in/sideways', []);
  await store.put('a', []);
  expect((await store.list('')).objects.map(({ key }) => key)).toEqual(['a']);
  expect((await whole.list('in/side/')).objects.map(({ key }) => key)).toEqual(['in/side/a']);
  await expect(store.get('../sideways')).rejects.toMatchObject({ kind: 'invalid' });
});
