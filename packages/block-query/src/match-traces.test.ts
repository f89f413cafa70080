import { bytesToHex, seededRandom } from '@vivace/kernel';
import { printQuery } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { matchTraces } from './match-traces.ts';
import { search } from './search.ts';
import { randomQuery } from './testing/random-query.ts';
import { randomTraces } from './testing/random-traces.ts';
import { splitSources } from './testing/split-sources.ts';

const options = { signal: new AbortController().signal, breathe: async () => undefined };

test('the traces that match are those that a search finds, each once', async () => {
  let matched = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const sources = splitSources(randomTraces(random), random);
    for (let i = 0; i < 8; i++) {
      const query = randomQuery(random);
      const request = { query, startUnixNano: undefined, endUnixNano: undefined, after: undefined };
      const all = await search(sources, { ...request, limit: 1000, spansPerSpanset: 1 }, options).catch(
        () => undefined,
      );
      if (all === undefined) continue;
      const ids: string[] = [];
      await matchTraces(sources, query, options, (id) => ids.push(bytesToHex(id)));
      const found = all.traces.map(({ traceId }) => bytesToHex(traceId));
      expect(ids.sort(), `seed ${seed}, ${printQuery(query)}`).toEqual(found.sort());
      matched += ids.length;
    }
  }
  expect(matched).toBeGreaterThan(200);
});
