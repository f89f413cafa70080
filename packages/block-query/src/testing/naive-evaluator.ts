import { naiveMetrics } from '../naive/metrics.ts';
import type { NaiveTrace } from '../naive/model.ts';
import { naiveSearch } from '../naive/search.ts';
import type { Evaluator } from './corpus.ts';
import { readTraces } from './read-traces.ts';

/** Traces of the same requests are read once. */
const read = new WeakMap<readonly Uint8Array[], NaiveTrace[]>();

function tracesOf(requests: readonly Uint8Array[]): NaiveTrace[] {
  let traces = read.get(requests);
  if (traces === undefined) read.set(requests, (traces = readTraces(requests)));
  return traces;
}

export const naiveEvaluator: Evaluator = {
  search: (requests, query, options) => naiveSearch(tracesOf(requests), query, options),
  metrics: (requests, query, options) => naiveMetrics(tracesOf(requests), query, options),
};
