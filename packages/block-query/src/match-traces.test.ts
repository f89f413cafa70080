import { readTraces } from '@vivace/block';
import { bytesToHex, seededRandom } from '@vivace/kernel';
import { printQuery, type Query } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { matchesParts, matchNeeds, matchTraces } from './match-traces.ts';
import { search } from './search.ts';
import { below } from './testing/random-choice.ts';
import { randomQuery } from './testing/random-query.ts';
import { randomTraces } from './testing/random-traces.ts';
import { splitBlocks, storedSource } from './testing/split-sources.ts';

const options = { signal: new AbortController().signal, breathe: async () => undefined };

/** Ids of the traces of some blocks that a query matches, read in sets of so many spans. */
async function matchedIds(inputs: ReturnType<typeof splitBlocks>, query: Query, setRows: number): Promise<string[]> {
  const matched = new Set<number>();
  const ids: string[] = [];
  const read = { inputs, needs: [matchNeeds(query)], wholeTraces: !matchesParts(query), setRows };
  await readTraces(read, async ({ first, count, set, traceFirst }) => {
    if (set === undefined) throw new Error('no columns were read');
    for (let t = 0; t < count; t++) ids[first + t] = bytesToHex(set.traceIds.subarray(16 * t, 16 * t + 16));
    await matchTraces({ set, traceFirst }, query, options, (trace) => matched.add(first + trace));
  });
  return [...matched].map((number) => ids[number] as string);
}

test('the traces that match are those that a search over the same blocks finds', { timeout: 60_000 }, async () => {
  let matched = 0;
  let parts = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const blocks = splitBlocks(randomTraces(random), random);
    if (blocks.length === 0) continue;
    for (let i = 0; i < 5; i++) {
      const query = randomQuery(random);
      const request = { query, startUnixNano: undefined, endUnixNano: undefined, after: undefined };
      const all = await search(
        blocks.map(storedSource),
        { ...request, limit: 1000, spansPerSpanset: 1 },
        options,
      ).catch(() => undefined);
      if (all === undefined) continue;
      const found = all.traces.map(({ traceId }) => bytesToHex(traceId));
      const ids = await matchedIds(blocks, query, 1 + below(random, 60));
      expect(ids.sort(), `seed ${seed}, ${printQuery(query)}`).toEqual(found.sort());
      matched += ids.length;
      if (matchesParts(query)) parts++;
    }
  }
  expect(matched).toBeGreaterThan(100);
  expect(parts).toBeGreaterThan(20);
});
