import { seededRandom, uuidV7 } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import { describe, expect, test } from 'vitest';
import type { BlockEntry } from './block-entry.ts';
import { openManifest } from './manifest.ts';
import { blockKey } from './paths.ts';
import { sweepTenant } from './sweep.ts';
import { sampleEntry } from './testing/sample-entry.ts';
import { createTestClock } from './testing/test-clock.ts';

const TENANT = 'one';
const HOUR = 3_600_000;
const signal = new AbortController().signal;
const none = { add: [], remove: [], cover: [] };

function setUp() {
  const clock = createTestClock();
  const random = seededRandom(1);
  const store = createMemoryStore({ clock });
  const manifest = openManifest({ store, tenant: TENANT, clock, random });
  let oldest: string | undefined;
  return {
    clock,
    store,
    manifest,
    id: () => uuidV7(clock.nowMs(), random),
    setOldest: (stream: string) => {
      oldest = stream;
    },
    /** Puts a block of one object. */
    put: async (): Promise<BlockEntry> => {
      const entry = { ...sampleEntry(2), id: uuidV7(clock.nowMs(), random) };
      await store.put(blockKey(TENANT, entry.id, 'block'), [new Uint8Array(8)]);
      return entry;
    },
    sweep: (graceMs?: number) =>
      sweepTenant({
        manifest,
        store,
        oldestStream: async () => oldest,
        signal,
        ...(graceMs !== undefined && { graceMs }),
      }),
    blocks: async () => (await store.list('tenants/one/blocks/')).objects.length,
  };
}

describe('the sweep', () => {
  test('deletes what was never committed, 48 hours later, and nothing that is live', async () => {
    const { clock, put, manifest, sweep, blocks } = setUp();
    await manifest.commit({ ...none, add: [await put()] }, signal);
    await put();
    clock.advance(47 * HOUR);
    expect(await sweep()).toMatchObject({ garbage: 0 });
    clock.advance(2 * HOUR);
    expect(await sweep()).toMatchObject({ garbage: 1, buried: 0, foreign: 0 });
    expect(await blocks()).toBe(1);
  });

  test('refuses the commit of a writer whose objects it has deleted', async () => {
    const { clock, put, manifest, sweep } = setUp();
    const stalled = await put();
    clock.advance(49 * HOUR);
    await sweep();
    expect(await manifest.commit({ ...none, add: [stalled] }, signal)).toMatchObject({
      committed: false,
      code: 'floor',
    });
  });

  test('leaves alone what is older than an open stream but younger than the floor it sets', async () => {
    const { clock, id, put, setOldest, sweep, blocks } = setUp();
    setOldest(id());
    await put();
    clock.advance(1000 * HOUR);
    expect(await sweep()).toMatchObject({ garbage: 0 });
    expect(await blocks()).toBe(1);
  });

  test('leaves alone for an hour what a stalled writer has only just stored, however old its id', async () => {
    const { clock, id, store, sweep, blocks } = setUp();
    const old = id();
    clock.advance(100 * HOUR);
    await store.put(blockKey(TENANT, old, 'block'), [new Uint8Array(8)]);
    clock.advance(HOUR - 1);
    expect(await sweep()).toMatchObject({ garbage: 0 });
    clock.advance(1);
    expect(await sweep()).toMatchObject({ garbage: 1 });
    expect(await blocks()).toBe(0);
  });

  test('never deletes a page that the root names, nor a block that only a page names', async () => {
    const { clock, put, manifest, store, sweep, blocks } = setUp();
    const add: BlockEntry[] = [];
    for (let i = 0; i < 1000; i++) add.push(await put());
    await manifest.commit({ ...none, add }, signal);
    clock.advance(100 * HOUR);
    expect(await sweep()).toMatchObject({ garbage: 0, buried: 0, foreign: 0 });
    expect(await blocks()).toBe(1000);
    const { pages, live } = await manifest.inspect(signal);
    const stored = (await store.list('tenants/one/pages/')).objects.map(({ key }) => key.split('/').at(-1));
    expect(stored.length).toBeGreaterThan(0);
    expect(new Set(stored)).toEqual(pages);
    expect(live).toHaveLength(1000);
  });

  test('leaves alone keys that Vivace would not have made', async () => {
    const { clock, put, store, sweep } = setUp();
    await put();
    await store.put('tenants/one/blocks/00/notes.txt', [new Uint8Array(1)]);
    await store.put('tenants/one/pages/notes', [new Uint8Array(1)]);
    clock.advance(100 * HOUR);
    expect(await sweep()).toMatchObject({ garbage: 1, foreign: 2 });
  });

  test('keeps a removed block for queries, then deletes it and forgets it', async () => {
    const { clock, put, manifest, sweep, blocks } = setUp();
    const [old, next] = [await put(), await put()];
    await manifest.commit({ ...none, add: [old] }, signal);
    await manifest.commit({ add: [next], remove: [old.id], cover: [] }, signal);
    clock.advance(HOUR);
    expect(await sweep()).toMatchObject({ buried: 0 });
    clock.advance(1);
    expect(await sweep(2 * HOUR)).toMatchObject({ buried: 0 });
    expect(await sweep()).toMatchObject({ buried: 1 });
    expect(await blocks()).toBe(1);
    expect((await manifest.inspect(signal)).graves).toEqual([]);
  });

  test('counts from when the removal was stored, not from when its writer read the root', async () => {
    const { clock, put, manifest, store } = setUp();
    const old = await put();
    await manifest.commit({ ...none, add: [old] }, signal);
    const stalling = openManifest({
      store: {
        ...store,
        put: (...args) => {
          clock.advance(5 * HOUR);
          return store.put(...args);
        },
      },
      tenant: TENANT,
      clock,
      random: seededRandom(2),
    });
    await stalling.commit({ ...none, remove: [old.id] }, signal);
    const { graves } = await manifest.inspect(signal);
    expect(graves[0]?.removedMs).toBe(clock.nowMs());
  });

  test('deletes the pages and graves of thousands of blocks', async () => {
    const { clock, id, manifest, store, sweep } = setUp();
    const add = Array.from({ length: 3000 }, (_, i) => ({ ...sampleEntry(2 * i), id: id() }));
    await manifest.commit({ ...none, add }, signal);
    await manifest.commit({ ...none, remove: add.map((entry) => entry.id) }, signal);
    clock.advance(2 * HOUR);
    expect((await sweep()).buried).toBe(3000 + 1);
    clock.advance(2 * HOUR);
    await sweep();
    expect((await store.list('tenants/one/pages/')).objects).toEqual([]);
    expect(await manifest.inspect(signal)).toMatchObject({ live: [], graves: [] });
  });

  test('forgets the coverage of closed streams, an hour after nobody can commit to them', async () => {
    const { clock, id, put, manifest, sweep } = setUp();
    const closed = id();
    await manifest.commit({ add: [await put()], remove: [], cover: [{ stream: closed, from: 0, to: 1 }] }, signal);
    clock.advance(49 * HOUR);
    const covered = async () => (await manifest.inspect(signal)).covered.has(closed);
    await sweep();
    expect(await covered()).toBe(true);
    clock.advance(HOUR / 2);
    await sweep();
    expect(await covered()).toBe(true);
    clock.advance(HOUR);
    await sweep();
    expect(await covered()).toBe(false);
    const zombie = manifest.commit(
      { add: [await put()], remove: [], cover: [{ stream: closed, from: 0, to: 1 }] },
      signal,
    );
    expect(await zombie).toMatchObject({ committed: false, code: 'forgotten' });
  });

  test('does nothing to a tenant that has nothing', async () => {
    const { store, sweep } = setUp();
    expect(await sweep()).toEqual({ floorMs: 0, garbage: 0, buried: 0, foreign: 0 });
    expect((await store.list('tenants/')).objects).toEqual([]);
  });
});
