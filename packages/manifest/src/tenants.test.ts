import { createMemoryStore } from '@vivace/object-store';
import { createCountingStore } from '@vivace/object-store/testing';
import { expect, test } from 'vitest';
import { rootKey, tenantPrefix } from './paths.ts';
import { listTenants } from './tenants.ts';

const { signal } = new AbortController();

async function collect(walk: AsyncIterable<string>): Promise<string[]> {
  const tenants: string[] = [];
  for await (const tenant of walk) tenants.push(tenant);
  return tenants;
}

test('every tenant is listed once, by one list each, however many objects it has', async () => {
  const store = createCountingStore(createMemoryStore());
  // Names that begin like another, and whose next character sorts before or after the slash.
  const tenants = ['a', 'A', 'a-b', 'a-', 'a.', 'a0', 'ab', "a'", 'con', 'B'.repeat(150), '...'];
  for (const tenant of tenants) {
    await store.put(rootKey(tenant), []);
    for (let i = 0; i < 20; i++) await store.put(`${tenantPrefix(tenant)}pages/${i}`, []);
  }
  store.reset();
  const listed = await collect(listTenants(store, signal));
  expect(listed.toSorted()).toEqual(tenants.toSorted());
  expect(store.counts.lists).toBe(tenants.length + 1);
});

test('what is no tenant is passed over', async () => {
  const store = createMemoryStore();
  for (const key of ['streams/x', 'tenants/Upper/root', 'tenants/=2e/root', 'tenants0/a/root', 'tenants/note']) {
    await store.put(key, []);
  }
  await store.put(rootKey('x'), []);
  // A file beside the tenants looks like one that has nothing but itself.
  expect(await collect(listTenants(store, signal))).toEqual(['note', 'x']);
});

test('an empty store has no tenants, and a walk is bounded', async () => {
  const store = createMemoryStore();
  expect(await collect(listTenants(store, signal))).toEqual([]);
  for (const tenant of ['a', 'b', 'c']) await store.put(rootKey(tenant), []);
  expect(await collect(listTenants(store, signal, 2))).toEqual(['a', 'b']);
});
