import { systemClock, systemRandom } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { expect, test } from 'vitest';
import { createManifests } from './manifests.ts';

const STREAM = '019aa000-0000-7000-8000-000000000001';
const never = new AbortController().signal;

test('a manifest that commits stays the one of its tenant, however many others are asked for meanwhile', async () => {
  const store = createMemoryStore();
  const answered = Promise.withResolvers<void>();
  const slow = {
    ...store,
    put: async (...args: Parameters<typeof store.put>) => {
      await answered.promise;
      return store.put(...args);
    },
  };
  const manifests = createManifests({
    store: slow,
    clock: systemClock,
    random: systemRandom,
    maxOpen: 2,
    onAlarm: () => undefined,
  });
  const committed = manifests('a').commit({ add: [], remove: [], cover: [{ stream: STREAM, from: 0, to: 1 }] }, never);
  for (const other of ['b', 'c', 'd']) await manifests(other).snapshot(never);
  const covered = async () => (await manifests('a').snapshot(never)).covered.get(STREAM);
  expect(await covered()).toBeUndefined();
  answered.resolve();
  expect(await committed).toMatchObject({ committed: true });
  // Within the time for which a root that was read may be answered from.
  expect(await covered()).toBe(1);
  for (const other of ['b', 'c', 'd']) await manifests(other).snapshot(never);
  expect(await covered()).toBe(1);
});
