import { Health } from '@vivace/cluster';
import { seededRandom, systemClock, uuidV7, VivaceError } from '@vivace/kernel';
import { createMemoryStore } from '@vivace/object-store';
import type { HeadsAnswer, HeadsClient } from '@vivace/rpc';
import { expect, test } from 'vitest';
import { RemoteHeads } from './remote-heads.ts';
import { StreamList } from './stream-list.ts';

const never = new AbortController().signal;
const TIME = { startUnixNano: 5n, endUnixNano: 9n };

/** An ingester as its answers. */
interface Ingester {
  state: { version: number; streams: string[] } | VivaceError;
  chunks: string[];
  /** Not of the time. */
  others?: string[];
  /** What each call said that it has. */
  asked: string[][];
}

function remoteOf(ingesters: readonly Ingester[], store: ReturnType<typeof createMemoryStore>) {
  const members = ingesters.map((_, i) => ({ address: `127.0.0.1:${i + 1}`, host: '127.0.0.1', port: i + 1 }));
  const stateOf = ({ state }: Ingester) => {
    if (state instanceof VivaceError) throw state;
    return state;
  };
  const client = ({ port }: { port: number }): HeadsClient => {
    const ingester = ingesters[port - 1] as Ingester;
    return {
      trace: async () => ({ ...stateOf(ingester), parts: [] }),
      rows: async ({ have, time }, onChunk) => {
        expect(time).toEqual(TIME);
        ingester.asked.push(have);
        const state = stateOf(ingester);
        for (const id of ingester.chunks) if (!have.includes(id)) onChunk({ id, bytes: new Uint8Array(10).fill(7) });
        const chunks = ingester.chunks.map((id) => ({ id })) as HeadsAnswer['chunks'];
        return { ...state, chunks, ...(ingester.others !== undefined && { others: ingester.others }) };
      },
    };
  };
  return new RemoteHeads({
    members: () => members,
    client,
    health: new Health({ clock: systemClock, random: seededRandom(1) }),
    streams: new StreamList({ store, clock: systemClock }),
    logs: undefined,
    clock: systemClock,
    chunkCacheBytes: 1000,
    timeoutMs: 1000,
  });
}

async function streamsIn(store: ReturnType<typeof createMemoryStore>, count: number): Promise<string[]> {
  const random = seededRandom(9);
  const ids = Array.from({ length: count }, () => uuidV7(1_700_000_000_000, random));
  for (const id of ids) await store.put(`streams/${id}`, [new Uint8Array(1)], {});
  return ids;
}

test('chunks are sent once, and let go when they are named no more', async () => {
  const store = createMemoryStore();
  const streams = await streamsIn(store, 1);
  const one: Ingester = { state: { version: 3, streams }, chunks: ['a', 'b'], asked: [] };
  const heads = remoteOf([one], store);
  const first = await heads.headViews('t', TIME, never);
  expect([first.problems, first.minVersion, first.chunks?.length]).toEqual([[], 3, 2]);
  one.chunks = ['b', 'c'];
  const second = await heads.headViews('t', TIME, never);
  expect(one.asked).toEqual([[], ['a', 'b']]);
  expect(heads.readChunk('a', { offset: 2, length: 3 })).toEqual(new Uint8Array(3).fill(7));
  first.release?.();
  expect(heads.readChunk('a', { offset: 0, length: 1 })).toBeUndefined();
  second.release?.();
  expect(heads.readChunk('c', { offset: 0, length: 1 })).toBeDefined();
  await heads.headViews('other', TIME, never);
  expect(one.asked.at(-1)).toEqual([]);
});

test('chunks that are not of the time stay for the next query, and are no part of this one', async () => {
  const store = createMemoryStore();
  const streams = await streamsIn(store, 1);
  const one: Ingester = { state: { version: 3, streams }, chunks: ['a', 'b', 'c'], asked: [] };
  const heads = remoteOf([one], store);
  (await heads.headViews('t', TIME, never)).release?.();
  one.chunks = ['c'];
  one.others = ['a'];
  const second = await heads.headViews('t', TIME, never);
  expect(second.chunks?.map(({ id }) => id)).toEqual(['c']);
  second.release?.();
  expect(heads.readChunk('a', { offset: 0, length: 1 })).toBeDefined();
  expect(heads.readChunk('b', { offset: 0, length: 1 })).toBeUndefined();
  await heads.headViews('t', TIME, never);
  expect(one.asked.at(-1)).toEqual(['a', 'c']);
});

test('chunks of the last two answers are expected, and stay while they are looked at', async () => {
  const store = createMemoryStore();
  const streams = await streamsIn(store, 1);
  const one: Ingester = { state: { version: 3, streams }, chunks: ['a', 'b'], asked: [] };
  const heads = remoteOf([one], store);
  const ask = async () => (await heads.headViews('t', TIME, never)).release?.();
  await ask();
  expect(heads.expectedViews('t')).toBeUndefined();
  await ask();
  const expected = heads.expectedViews('t');
  expect([expected?.chunks?.map(({ id }) => id), heads.expectedViews('other')]).toEqual([['a', 'b'], undefined]);
  one.chunks = ['b'];
  await ask();
  expect(heads.expectedViews('t')).toBeUndefined();
  expect(heads.readChunk('a', { offset: 0, length: 1 })).toBeDefined();
  expected?.release?.();
  expect(heads.readChunk('a', { offset: 0, length: 1 })).toBeUndefined();
  // Nothing is said of heads of which something is missing.
  one.chunks = [];
  await ask();
  await ask();
  expect(heads.expectedViews('t')?.chunks).toEqual([]);
  one.state = new VivaceError('unavailable', 'connect-failed', 'it cannot be reached');
  await ask();
  expect(heads.expectedViews('t')).toBeUndefined();
});

test('roots are as new as the newest commit of any ingester, and as the list of streams', async () => {
  const store = createMemoryStore();
  const [a, b] = (await streamsIn(store, 2)) as [string, string];
  const heads = remoteOf(
    [
      { state: { version: 7, streams: [a] }, chunks: [], asked: [] },
      { state: { version: 5, streams: [b] }, chunks: [], asked: [] },
    ],
    store,
  );
  const found = await heads.findTrace('t', new Uint8Array(16), never);
  expect([found.minVersion, found.problems]).toEqual([7, []]);
  expect(found.maxAgeMs).toBeLessThan(1000);
});

test('a stream that nobody answers for is looked for once more, and named', async () => {
  const store = createMemoryStore();
  const [a, b] = (await streamsIn(store, 2)) as [string, string];
  const gone = new VivaceError('unavailable', 'connect-failed', 'it cannot be reached');
  const heads = remoteOf(
    [
      { state: { version: 1, streams: [a] }, chunks: [], asked: [] },
      { state: gone, chunks: [], asked: [] },
    ],
    store,
  );
  const missing = await heads.findTrace('t', new Uint8Array(16), never);
  expect(missing.problems[0]).toContain(`stream ${b}`);
  expect(missing.problems[1]).toContain('127.0.0.1:2');
  // Its stream is closed: all of it is in blocks, and the list that was kept is not believed.
  await store.delete(`streams/${b}`);
  expect((await heads.findTrace('t', new Uint8Array(16), never)).problems).toEqual([]);
});
