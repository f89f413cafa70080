import { seededRandom, uuidV7, VivaceError } from '@vivace/kernel';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createCountingStore } from '@vivace/object-store/testing';
import { describe, expect, test } from 'vitest';
import type { BlockEntry } from './block-entry.ts';
import { type ManifestOptions, openManifest } from './manifest.ts';
import { rootKey } from './paths.ts';
import { sampleEntry } from './testing/sample-entry.ts';
import { createTestClock } from './testing/test-clock.ts';

const TENANT = 'one';
const signal = new AbortController().signal;
const none = { add: [], remove: [], cover: [] };

function setUp() {
  const clock = createTestClock();
  const random = seededRandom(1);
  const memory = createMemoryStore({ clock });
  const store = createCountingStore(memory);
  const open = (options: Partial<ManifestOptions> = {}) =>
    openManifest({ store, tenant: TENANT, clock, random, ...options });
  const id = () => uuidV7(clock.nowMs(), random);
  const entry = (number = 2): BlockEntry => ({ ...sampleEntry(number), id: id() });
  return { clock, memory, counts: store.counts, open, id, entry };
}

describe('a commit', () => {
  test('adds blocks and moves coverage, for every process', async () => {
    const { open, entry, id } = setUp();
    const [block, stream] = [entry(), id()];
    const manifest = open();
    expect(await manifest.commit({ add: [block], remove: [], cover: [{ stream, from: 0, to: 3 }] }, signal)).toEqual({
      committed: true,
      version: 1,
    });
    for (const each of [manifest, open()]) {
      const snapshot = await each.snapshot(signal);
      expect(snapshot.live).toEqual([{ ...block, ordinals: [{ first: 0, end: 1 }] }]);
      expect(snapshot.covered).toEqual(new Map([[stream, 3]]));
      expect(snapshot.version).toBe(1);
    }
  });

  test('costs one read and one put', async () => {
    const { open, entry, counts } = setUp();
    await open().commit({ ...none, add: [entry()] }, signal);
    expect(counts).toMatchObject({ gets: 1, puts: 1, lists: 0, heads: 0, deletes: 0 });
  });

  test('of records that are covered already is lost, and names no block', async () => {
    const { open, entry, id } = setUp();
    const stream = id();
    const step = { stream, from: 0, to: 3 };
    await open().commit({ add: [entry()], remove: [], cover: [step] }, signal);
    const second = await open().commit({ add: [entry()], remove: [], cover: [step] }, signal);
    expect(second).toMatchObject({ committed: false, code: 'covered' });
    expect((await open().snapshot(signal)).live).toHaveLength(1);
  });

  test('of the same blocks once more is committed, not lost: its caller would delete them', async () => {
    const { open, entry, id } = setUp();
    const edit = { add: [entry()], remove: [], cover: [{ stream: id(), from: 0, to: 3 }] };
    await open().commit(edit, signal);
    expect(await open().commit(edit, signal)).toEqual({ committed: true, version: 1 });
    const onlyAdds = { ...none, add: [entry()] };
    await open().commit(onlyAdds, signal);
    expect(await open().commit(onlyAdds, signal)).toEqual({ committed: true, version: 2 });
    expect((await open().snapshot(signal)).live).toHaveLength(2);
  });

  test('that begins after a gap is refused and changes nothing', async () => {
    const { open, entry, id } = setUp();
    const early = open().commit({ add: [entry()], remove: [], cover: [{ stream: id(), from: 2, to: 3 }] }, signal);
    await expect(early).rejects.toMatchObject({ kind: 'conflict', code: 'commit-gap' });
    expect((await open().snapshot(signal)).version).toBe(0);
  });

  test('that removes a block which somebody else has replaced is lost', async () => {
    const { open, entry } = setUp();
    const old = entry();
    await open().commit({ ...none, add: [old] }, signal);
    const replace = () => open().commit({ add: [entry()], remove: [old.id], cover: [] }, signal);
    expect(await replace()).toMatchObject({ committed: true });
    expect(await replace()).toMatchObject({ committed: false, code: 'removed' });
  });

  test('of a block older than the floor is lost, and so is a stream that is', async () => {
    const { clock, open, entry, id } = setUp();
    const [block, stream] = [entry(), id()];
    clock.advance(10);
    await open().commit({ ...none, floorMs: clock.nowMs() }, signal);
    expect(await open().commit({ ...none, add: [block] }, signal)).toMatchObject({ committed: false, code: 'floor' });
    const cover = [{ stream, from: 0, to: 1 }];
    expect(await open().commit({ add: [entry()], remove: [], cover }, signal)).toMatchObject({
      committed: false,
      code: 'forgotten',
    });
    const both = [{ stream: id(), from: 0, to: 1 }, ...cover];
    expect(await open().commit({ add: [entry()], remove: [], cover: both }, signal)).toMatchObject({
      committed: false,
      code: 'covered',
    });
  });

  test('that cannot be written fails alone', async () => {
    const { open, entry } = setUp();
    const manifest = open();
    const bad = manifest.commit({ ...none, add: [{ ...entry(), rows: 0.5 }] }, signal);
    const good = manifest.commit({ ...none, add: [entry()] }, signal);
    await expect(bad).rejects.toMatchObject({ kind: 'internal' });
    expect(await good).toMatchObject({ committed: true });
  });

  test('waits for the one in flight together with all that come meanwhile', async () => {
    const { open, entry, counts, id } = setUp();
    const manifest = open();
    const stream = id();
    const steps = Array.from({ length: 50 }, (_, i) => ({ stream, from: i, to: i + 1 }));
    const results = await Promise.all(
      steps.map((step) => manifest.commit({ add: [entry()], remove: [], cover: [step] }, signal)),
    );
    expect(results.every(({ committed }) => committed)).toBe(true);
    expect(counts.puts).toBeLessThanOrEqual(2);
    expect((await manifest.snapshot(signal)).covered.get(stream)).toBe(50);
  });

  test('beside one that it conflicts with is judged by what that one comes to', async () => {
    const { open, entry, id } = setUp();
    const manifest = open();
    const stream = id();
    const commits = [1, 2].map((to) =>
      manifest.commit({ add: [entry()], remove: [], cover: [{ stream, from: 0, to }] }, signal),
    );
    expect(await Promise.all(commits)).toMatchObject([{ committed: true }, { committed: false, code: 'covered' }]);
  });

  test('goes through however many processes race for the root', async () => {
    const { open, entry, id } = setUp();
    const stream = id();
    const manifests = Array.from({ length: 4 }, () => open());
    const own = manifests.map(async (manifest) => {
      for (let i = 0; i < 25; i++) await manifest.commit({ ...none, add: [entry()] }, signal);
    });
    const raced = manifests.map((manifest) =>
      manifest.commit({ add: [entry()], remove: [], cover: [{ stream, from: 0, to: 1 }] }, signal),
    );
    await Promise.all(own);
    expect((await Promise.all(raced)).filter(({ committed }) => committed)).toHaveLength(1);
    const { live, version } = await open().snapshot(signal);
    expect(live).toHaveLength(101);
    expect(version).toBeLessThanOrEqual(101);
  });
});

describe('a put without a clear answer', () => {
  const unavailable = () => new VivaceError('unavailable', 'store-error', 'the answer was lost');

  test('that happened is found in the root, and not repeated', async () => {
    const { memory, open, entry } = setUp();
    let puts = 0;
    const store: ObjectStore = {
      ...memory,
      put: async (...args) => {
        puts++;
        await memory.put(...args);
        throw unavailable();
      },
    };
    expect(await open({ store }).commit({ ...none, add: [entry()] }, signal)).toEqual({ committed: true, version: 1 });
    expect(puts).toBe(1);
  });

  test('that did not happen is sent again, the same bytes under the same condition', async () => {
    const { memory, open, entry } = setUp();
    const sent: unknown[] = [];
    const store: ObjectStore = {
      ...memory,
      put: async (key, body, options) => {
        sent.push([Buffer.concat(body).toString('hex'), options?.only]);
        if (sent.length < 3) throw unavailable();
        return memory.put(key, body, options);
      },
    };
    expect(await open({ store }).commit({ ...none, add: [entry()] }, signal)).toMatchObject({ committed: true });
    expect(sent).toHaveLength(3);
    expect(sent[1]).toEqual(sent[0]);
    expect(sent[2]).toEqual(sent[0]);
  });

  test('is waited for until the signal, and then nobody may delete its objects', async () => {
    const { memory, open, entry } = setUp();
    const abort = new AbortController();
    const store: ObjectStore = {
      ...memory,
      put: async (...args) => {
        await memory.put(...args);
        abort.abort();
        throw unavailable();
      },
    };
    const edit = { ...none, add: [entry()] };
    const commit = open({ store }).commit(edit, abort.signal);
    await expect(commit).rejects.toMatchObject({ kind: 'unavailable', code: 'commit-unknown' });
    expect(await open().commit(edit, signal)).toEqual({ committed: true, version: 1 });
  });

  test('that was never sent is no unknown one', async () => {
    const { memory, open, entry } = setUp();
    const abort = new AbortController();
    const store: ObjectStore = {
      ...memory,
      get: async () => {
        abort.abort();
        throw unavailable();
      },
    };
    const commit = open({ store }).commit({ ...none, add: [entry()] }, abort.signal);
    await expect(commit).rejects.toMatchObject({ kind: 'canceled' });
  });

  test('hides behind 300 others: blocks that are live tell that it happened', async () => {
    const { memory, open, entry } = setUp();
    const other = open();
    let first = true;
    const store: ObjectStore = {
      ...memory,
      put: async (...args) => {
        const result = await memory.put(...args);
        if (!first) return result;
        first = false;
        for (let i = 0; i < 300; i++) await other.commit({ ...none, add: [] }, signal);
        throw unavailable();
      },
    };
    expect(await open({ store }).commit({ ...none, add: [entry()] }, signal)).toEqual({
      committed: true,
      version: 301,
    });
    expect((await other.snapshot(signal, { maxAgeMs: 0 })).live).toHaveLength(1);
  });
});

describe('a snapshot', () => {
  test('asks the store when the root is older than 5 s, and then for news only', async () => {
    const { clock, counts, open, entry } = setUp();
    await open().commit({ ...none, add: [entry()] }, signal);
    const manifest = open();
    const before = counts.gets;
    await manifest.snapshot(signal);
    clock.advance(5000);
    await manifest.snapshot(signal);
    expect(counts.gets - before).toBe(1);
    clock.advance(1);
    expect((await manifest.snapshot(signal)).live).toHaveLength(1);
    expect(counts.gets - before).toBe(2);
  });

  test('reads only the pages of its range', async () => {
    const { counts, open, id } = setUp();
    const dayMs = 86_400_000;
    const manifest = open({ rootMaxBytes: 4000 });
    for (let day = 0; day < 6; day++) {
      const add = Array.from({ length: 30 }, (_, i) => ({
        ...sampleEntry(2 * i, 1_760_000_000_000 + day * dayMs),
        id: id(),
      }));
      await manifest.commit({ ...none, add }, signal);
    }
    const start = BigInt(1_760_000_000_000 + 2 * dayMs) * 1_000_000n;
    const fresh = open();
    const before = counts.gets;
    const { live } = await fresh.snapshot(signal, { range: { start, end: start + 3_600_000_000_000n } });
    expect(live).toHaveLength(30);
    expect(counts.gets - before).toBe(2);
  });
});

describe('folding', () => {
  test('thousands of blocks over many days come back from pages, and the root stays small', async () => {
    const { memory, open, id } = setUp();
    const manifest = open({ pageMaxBytes: 100_000 });
    const expected = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const add = Array.from({ length: 150 }, (_, i) => ({
        ...sampleEntry(i, 1_760_000_000_000 + ((round * 150 + i) % 400) * 86_400_000),
        id: id(),
      }));
      for (const entry of add) expected.add(entry.id);
      const remove = [...expected].slice(0, round);
      for (const old of remove) expected.delete(old);
      expect(await manifest.commit({ add, remove, cover: [] }, signal)).toMatchObject({ committed: true });
      expect((await memory.head(rootKey(TENANT))).size).toBeLessThanOrEqual(64 * 1024);
    }
    for (const each of [manifest, open()]) {
      const { live } = await each.snapshot(signal, { maxAgeMs: 0 });
      expect(new Set(live.map((entry) => entry.id))).toEqual(expected);
      expect(live).toHaveLength(expected.size);
    }
    const { pages, graves } = await open().inspect(signal);
    expect(pages.size).toBeLessThan(250);
    expect(graves.filter(({ kind }) => kind === 'block')).toHaveLength((39 * 40) / 2);
    for (const page of (await memory.list('tenants/one/pages/')).objects)
      expect(page.size).toBeLessThanOrEqual(100_000);
  });

  test('a commit of more blocks than a root can hold is one commit all the same', async () => {
    const { memory, open, id } = setUp();
    const add = Array.from({ length: 5000 }, (_, i) => ({ ...sampleEntry(i), id: id() }));
    expect(await open().commit({ ...none, add }, signal)).toEqual({ committed: true, version: 1 });
    expect((await memory.head(rootKey(TENANT))).size).toBeLessThan(1000);
    const remove = add.slice(0, 4000).map((entry) => entry.id);
    expect(await open().commit({ ...none, remove }, signal)).toEqual({ committed: true, version: 2 });
    const { live, graves } = await open().inspect(signal);
    expect(live).toHaveLength(1000);
    expect(graves).toHaveLength(4000 + 1);
    expect((await memory.head(rootKey(TENANT))).size).toBeLessThanOrEqual(64 * 1024);
  });

  test('a page that the root names and the store has lost is damage, not an empty answer', async () => {
    const { memory, open, id } = setUp();
    await open().commit(
      { ...none, add: Array.from({ length: 1000 }, (_, i) => ({ ...sampleEntry(i), id: id() })) },
      signal,
    );
    for (const { key } of (await memory.list('tenants/one/pages/')).objects) await memory.delete(key);
    await expect(open().snapshot(signal)).rejects.toMatchObject({ kind: 'data', code: 'manifest-page-missing' });
  });
});

describe('a history that is not one line', () => {
  test('raises an alarm once and stops commits when the version goes down', async () => {
    const { memory, open, entry } = setUp();
    const alarms: VivaceError[] = [];
    const manifest = open({ onAlarm: (alarm) => alarms.push(alarm) });
    await manifest.commit({ ...none, add: [entry()] }, signal);
    const old = (await memory.get(rootKey(TENANT))).bytes;
    await manifest.commit({ ...none, add: [entry()] }, signal);
    await memory.put(rootKey(TENANT), [old]);
    for (let i = 0; i < 2; i++) {
      const commit = manifest.commit({ ...none, add: [entry()] }, signal);
      await expect(commit).rejects.toMatchObject({ kind: 'internal', code: 'manifest-history' });
    }
    expect(alarms).toHaveLength(1);
    expect((await memory.get(rootKey(TENANT))).bytes).toEqual(old);
  });

  test('raises an alarm when a commit is missing that the root must remember', async () => {
    const { memory, open, entry } = setUp();
    const alarms: VivaceError[] = [];
    const manifest = open({ onAlarm: (alarm) => alarms.push(alarm) });
    await manifest.commit({ ...none, add: [entry()] }, signal);
    await memory.delete(rootKey(TENANT));
    for (let i = 0; i < 3; i++) await open().commit({ ...none, add: [entry()] }, signal);
    await expect(manifest.snapshot(signal, { maxAgeMs: -1 })).rejects.toMatchObject({ code: 'manifest-history' });
    expect(alarms).toHaveLength(1);
  });
});
