import { bytesToHex, seededRandom } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { search, type UnreadBlocks } from './search.ts';
import type { Source } from './source.ts';
import { allNeeds } from './testing/batch-spans.ts';
import { below } from './testing/random-choice.ts';
import { randomQuery } from './testing/random-query.ts';
import { randomTraces } from './testing/random-traces.ts';
import { splitSources } from './testing/split-sources.ts';

const { signal } = new AbortController();
const options = { signal, breathe: async () => undefined };

/** What a search that leaves a source out must know of it. */
async function unreadOf(source: Source): Promise<UnreadBlocks> {
  const ids = new Set<string>();
  let maxEndUnixNano = 0n;
  for (const batch of await source.batches(signal)) {
    await batch.prepare(allNeeds([], []), signal);
    const first = batch.traceFirst();
    const order = batch.order();
    for (let trace = 0; trace < batch.traceCount; trace++) {
      for (let at = first[trace] as number; at < (first[trace + 1] as number); at++) {
        const row = order === undefined ? at : (order[at] as number);
        const end = (BigInt(batch.end()[2 * row + 1] as number) << 32n) | BigInt(batch.end()[2 * row] as number);
        const start = (BigInt(batch.start()[2 * row + 1] as number) << 32n) | BigInt(batch.start()[2 * row] as number);
        for (const time of [start, end]) if (time > maxEndUnixNano) maxEndUnixNano = time;
        ids.add(bytesToHex(batch.traceIds().slice(16 * trace, 16 * trace + 16)));
      }
    }
  }
  const reader = { id: source.id, listsTrace: async (id: Uint8Array) => ids.has(bytesToHex(id)) };
  return { maxEndUnixNano, readersOf: async () => [reader] };
}

test('what a search of some sources settles is the beginning of the search of all', async () => {
  let settled = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = seededRandom(seed);
    const sources = splitSources(randomTraces(random), random);
    const left = sources[below(random, sources.length)] as Source;
    const unread = await unreadOf(left);
    for (let i = 0; i < 8; i++) {
      const query = randomQuery(random);
      const limit = 1 + below(random, 4);
      const request = {
        query,
        startUnixNano: undefined,
        endUnixNano: undefined,
        limit,
        spansPerSpanset: 0,
        after: undefined,
      };
      const all = await search(sources, request, options).catch(() => undefined);
      if (all === undefined) continue;
      const some = await search(
        sources.filter((source) => source !== left),
        request,
        i % 2 === 0 ? options : { ...options, newest: { tracesAMatch: 0.5, least: 1, share: 1 } },
        unread,
      ).catch(() => undefined);
      if (some === undefined) continue;
      expect(some.traces, `seed ${seed}, ${printQuery(query)}`).toEqual(all.traces.slice(0, some.traces.length));
      if (!some.unsettled) expect(some.traces).toHaveLength(limit);
      settled += some.traces.length;
    }
  }
  expect(settled).toBeGreaterThan(100);
});
