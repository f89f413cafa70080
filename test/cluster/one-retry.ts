import { type Attempt, PART, type Patience } from '../truth/asking.ts';
import type { Cluster } from './cluster.ts';

/**
 * An ingester that is back takes its log over and reads it, and a querier looks again who is there: so long after its
 * return answers may still say that a part of them is missing.
 */
const SETTLE_MS = 15_000;

/** Answers that said that they are a part, by the end of the question; what they missed is in an ingester that is away. */
export interface PartAnswer {
  endMs: number;
}

/**
 * The patience of a client with one retry, which a balancer of load gives to another frontend. The second answer has to
 * be whole; or say that it is a part, and then an ingester has to be away.
 */
export function oneRetry(cluster: Cluster, parts: PartAnswer[]): Patience {
  return async (attempts) => {
    if (attempts.length === 1) {
      await cluster.served();
      return 'again';
    }
    const [first, second] = attempts as [Attempt, Attempt];
    if (second.problem === PART && cluster.missedIngester(first.beginMs, second.endMs, SETTLE_MS)) {
      parts.push({ endMs: second.endMs });
      return 'enough';
    }
    const told = attempts.map(
      ({ problem, http, beginMs, endMs }) => `${problem} of ${http} after ${endMs - beginMs} ms`,
    );
    throw new Error(`not whole after one retry: ${told.join(', then ')}`);
  };
}
