import { seededRandom } from '@vivace/kernel';
import { metrics } from '../metrics.ts';
import { search } from '../search.ts';
import type { Source } from '../source.ts';
import type { Evaluator } from './corpus.ts';
import { splitSources } from './split-sources.ts';

const options = { signal: new AbortController().signal, breathe: async () => undefined };

/** The evaluator that answers queries, over requests cut into heads and blocks by a seed. */
export function vectorEvaluator(seed: number): Evaluator {
  const split = new WeakMap<readonly Uint8Array[], Source[]>();
  const sourcesOf = (requests: readonly Uint8Array[]): Source[] => {
    let sources = split.get(requests);
    if (sources === undefined) split.set(requests, (sources = splitSources(requests, seededRandom(seed))));
    return sources;
  };
  return {
    search: async (requests, query, request) =>
      (await search(sourcesOf(requests), { query, ...request, after: undefined }, options)).traces,
    metrics: async (requests, query, { start, end, step, exemplars }) => {
      const range = { startUnixNano: start, endUnixNano: end, stepNanos: step };
      return (await metrics(sourcesOf(requests), { query, ...range, exemplars, maxSeries: 0 }, options)).series;
    },
  };
}
